"""Spaceship Titanic: its features, and a run from the files to a checked submission."""

from __future__ import annotations

import pandas as pd

from pipelines.commands.app import main
from pipelines.competitions.spaceship_titanic import SPENDING, add_features

PASSENGERS = pd.DataFrame(
    {
        "PassengerId": ["0013_01", "0013_02", "0020_01"],
        "CryoSleep": pd.array([True, None, None], dtype="boolean"),
        "Cabin": pd.array(["B/0/P", None, "G/1702/S"], dtype="str"),
        "Age": [30.0, 12.0, None],
        "VIP": pd.array([False, None, True], dtype="boolean"),
        **{name: [0.0, 0.0, 10.0] for name in SPENDING},
    }
)


def test_the_group_and_the_cabins_parts() -> None:
    table = add_features(PASSENGERS)
    assert table["group"].tolist() == ["0013", "0013", "0020"]
    assert table["number_in_group"].tolist() == [1, 2, 1]
    assert table["deck"].tolist()[::2] == ["B", "G"]
    assert table["cabin_number"].tolist()[::2] == [0, 1702]
    assert pd.isna(table["side"][1])


def test_who_spends_is_awake_and_the_others_stay_unknown() -> None:
    asleep = add_features(PASSENGERS)["asleep"]
    assert asleep[0] == 1
    assert pd.isna(asleep[1])
    assert asleep[2] == 0


def test_a_single_passenger_without_a_cabin_has_all_features() -> None:
    alone, all_rows = add_features(PASSENGERS[1:2]), add_features(PASSENGERS)
    pd.testing.assert_frame_equal(alone, all_rows[1:2], check_dtype=False)


def test_answers_are_true_and_false_under_ids_as_they_are(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["run", "spaceship-titanic", "--source", "sample", "--no-track"]
    assert main([*arguments, "--members", "trees", "--folds", "3"]) == 0
    printed = capsys.readouterr().out
    assert float(printed.split("held back")[1].split()[0]) > 0.75
    assert "made by a generator" in printed
    (path,) = tmp_path.glob("submissions/spaceship-titanic/*.csv")
    csv = pd.read_csv(path, dtype="str")
    assert csv["PassengerId"].str.fullmatch(r"\d{4}_\d{2}").all()
    assert set(csv["Transported"]) == {"True", "False"}
