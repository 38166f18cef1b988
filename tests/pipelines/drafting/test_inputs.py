"""Which part each column plays, and how it is encoded."""

import pandas as pd


def test_dates_become_parts_and_days(files, drafted):
    files.change(
        day=lambda n, rng: [
            str(d)[:10] for d in rng.permutation(pd.date_range("2020-03-01", periods=n))
        ]
    )
    made = drafted(files)
    assert made.column("day").kind == "date"
    table = pd.DataFrame({"day": pd.to_datetime(["2020-03-01", "2020-03-11"])})
    added = made.competition.features(table)
    assert added["day_month"].tolist() == [3, 3]
    assert added["day_days"].tolist() == [0.0, 10.0]


def test_sentences_become_components(files, drafted):
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    files.change(said=lambda n, rng: [" ".join(rng.permutation(words)) for _ in range(n)])
    assert "TextComponents(TEXTS, n_components=24)" in drafted(files).text


def test_names_become_components_of_characters(files, drafted):
    files.change(who=lambda n, rng: [f"Ann{x} Berry{x}" for x in rng.permutation(10**5)[:n]])
    assert 'TextComponents(WORDS, n_components=12, analyzer="char_wb"' in drafted(files).text


def test_many_levels_get_means_of_the_target_and_few_get_columns(files, drafted):
    files.change(town=lambda n, rng: [f"town {x}" for x in rng.integers(0, 60, n)])
    text = drafted(files).text
    assert 'CATEGORIES = ["town"]' in text
    assert "TargetMeans(CATEGORIES)" in text
    assert 'LEVELS = {"c": ("x", "y", "z")}' in text
    assert 'categories="one_hot"' in text


def test_codes_of_which_each_row_has_its_own_are_not_used(files, drafted):
    files.change(code=lambda n, rng: [f"k{x}" for x in rng.permutation(10**6)[:n]])
    made = drafted(files)
    assert "# not used: nearly every row has a text of its own" in made.text
    assert '"code"' not in made.text.split("COMPETITION =")[0]
