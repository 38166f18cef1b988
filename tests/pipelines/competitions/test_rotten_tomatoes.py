"""The competition's own file, its sample, and rows that are odd."""

import numpy as np
import pandas as pd
import pytest

from features.tables.text_file import TableError
from pipelines.commands import app
from pipelines.competitions.rotten_tomatoes import COMPETITION, context, is_new, phrase_encoder
from pipelines.raw_files.samples import rotten_tomatoes as sample
from pipelines.raw_files.sources import choose_source
from pipelines.stages import preprocess
from pipelines.stages.download import download
from pipelines.workspace.summary import Summary

ODD = [
    "NA",
    "null",
    "None",
    "",
    " ",
    'a "quoted',
    "🎬 great 🎬",
    "zzz qqq",
    "very " * 10_000 + "bad",
]


def write_files(folder, train: str, test: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "train.tsv").write_text(f"PhraseId\tSentenceId\tPhrase\tSentiment\n{train}")
    (folder / "test.tsv").write_text(f"PhraseId\tSentenceId\tPhrase\n{test}")
    ids = [line.split("\t")[0] for line in test.splitlines()]
    answer = "".join(f"{own},2\n" for own in ids)
    (folder / "sampleSubmission.csv").write_text(f"PhraseId,Sentiment\n{answer}")


def prepare(folder, data):
    return preprocess.prepare(
        COMPETITION, download(COMPETITION, choose_source(str(folder), COMPETITION), data)
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    train = "".join(f"{i + 1}\t{i % 12}\ta film {i}\t{i % 5}\n" for i in range(60))
    test = "".join(f"{100 + i}\t{50 + i // 3}\t{phrase}\n" for i, phrase in enumerate(ODD))
    write_files(folder / "files", train, test)
    return prepare(folder / "files", folder / "data")


def test_texts_that_look_like_missing_values_stay_text(odd) -> None:
    assert odd.test["Phrase"].to_list() == ODD


def test_odd_phrases_are_encoded_and_have_a_context(odd) -> None:
    encoder = phrase_encoder().fit(odd.train)
    encoded = encoder.transform(odd.test)
    # One width whatever a fold has seen; of 10,000 words the first and the last stay.
    assert encoded["tokens"].shape == (len(ODD), 64)
    assert encoded["lengths"].tolist() == [1, 1, 1, 1, 1, 3, 3, 2, 64]
    related = context(odd.test, np.full((len(ODD), 5), 0.2))
    assert related.shape == (len(ODD), 42)
    assert np.isfinite(related).all()


def test_a_missing_sentence_is_told_with_its_row(tmp_path) -> None:
    train = "1\t1\tgood\t3\n2\t\tbad\t1\n3\t2\tdull\t1\n"
    write_files(tmp_path / "files", train, "4\t3\tfine\n")
    with pytest.raises(
        TableError, match=r"column 'SentenceId', line 3 \(PhraseId 2\): found an empty field"
    ):
        prepare(tmp_path / "files", tmp_path / "data")


def test_folds_keep_the_phrases_of_a_sentence_together() -> None:
    assert COMPETITION.folds.group == "SentenceId"
    table, _ = sample.make()
    fold = (table["SentenceId"] % 3).to_numpy()
    new = is_new(table, fold)
    assert not new[table["Phrase"].isin(["the", "film", "is"])].any()
    assert (
        new[table.groupby("SentenceId")["Phrase"].transform("first") == table["Phrase"]].mean()
        > 0.9
    )


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample.write(folder)
    read = {path.name: path.read_text() for path in folder.iterdir()}
    return folder, read


def test_the_sample_has_kaggles_form(tables) -> None:
    folder, read = tables
    assert sorted(read) == ["holdout.csv", "sampleSubmission.csv", "test.tsv", "train.tsv"]
    assert read["train.tsv"].startswith("PhraseId\tSentenceId\tPhrase\tSentiment\n1\t1\t")
    assert read["test.tsv"].startswith("PhraseId\tSentenceId\tPhrase\n")
    train = pd.read_csv(folder / "train.tsv", sep="\t", quoting=3, keep_default_na=False)
    assert train["Phrase"].is_unique
    assert set(train["Sentiment"]) == {0, 1, 2, 3, 4}


def test_the_sample_is_the_same_every_time(tables, tmp_path) -> None:
    sample.write(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == tables[1]


def test_the_sample_is_called_synthetic() -> None:
    assert COMPETITION.sample.synthetic
    assert "made-up" in COMPETITION.sample.origin


def test_labels_follow_from_negation_and_intensifiers() -> None:
    train, held_back = sample.make()
    label = pd.concat([train, held_back]).set_index("Phrase")["Sentiment"]
    label = label[~label.index.duplicated()]

    def mean(phrases: list[str]) -> float:
        return float(label.reindex(phrases).mean())

    plain, negated = [f"is {w}" for w in sample.GREAT], [f"is n't {w}" for w in sample.GREAT]
    assert mean(plain) > 3.5 > 2 > mean(negated)
    assert mean([f"very {w}" for w in sample.GOOD]) > mean([f"slightly {w}" for w in sample.GOOD])
    with_but = label[label.index.str.contains(" but ")]
    after = with_but.index.str.split(" but ").str[1].str.removesuffix(" .")
    same = label.reindex(after).to_numpy() == with_but.to_numpy()
    assert same[label.reindex(after).notna()].mean() > 0.8


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """All six stages on a few made-up sentences, by the commands that a person types."""
    workspace = tmp_path_factory.mktemp("workspace")
    files = workspace / "files"
    train, held_back = sample.make()
    train, held_back = train[train["SentenceId"] <= 60], held_back[:80]
    files.mkdir()
    train.to_csv(files / "train.tsv", sep="\t", index=False)
    held_back.drop(columns="Sentiment").to_csv(files / "test.tsv", sep="\t", index=False)
    held_back[["PhraseId"]].assign(Sentiment=2).to_csv(files / "sampleSubmission.csv", index=False)
    typed = ["run", "rotten-tomatoes", "--source", str(files), "--members", "gru,tf-idf"]
    quick = ["gru.model.hidden=4", "gru.model.embedding_size=4", "train.epochs=1"]
    sets = [part for own in quick for part in ("--set", own)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        assert app.main([*typed, "--folds", "2", "--no-track", *sets]) == 0
    (folder,) = workspace.glob("runs/rotten-tomatoes/*/")
    return folder, Summary.read(folder), train, held_back


def test_a_run_makes_a_checked_submission_and_the_figures_of_texts(small_run) -> None:
    folder, summary, _, held_back = small_run
    assert summary.n_rows == len(held_back)
    figures = {path.stem for path in (folder / "figures").iterdir()}
    assert {"confusion", "learning_curves", "by_length", "losses", "words"} <= figures


def test_known_phrases_take_the_training_files_label(small_run) -> None:
    folder, summary, train, held_back = small_run
    (csv,) = folder.glob("stages/submission/*.csv")
    answers = pd.read_csv(csv).set_index("PhraseId")["Sentiment"]
    label = train.set_index("Phrase")["Sentiment"]
    known = held_back[held_back["Phrase"].isin(label.index)]
    assert summary.known_share == pytest.approx(len(known) / len(held_back))
    assert (answers[known["PhraseId"]].to_numpy() == label[known["Phrase"]].to_numpy()).all()
    share = summary.known_share
    assert summary.cv == pytest.approx(share + (1 - share) * summary.cv_new)
