"""Tuned values between the competition's file and what a person types."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.commands import app
from pipelines.configuration import tuned_values
from pipelines.configuration.assignments import configure, settings_of
from pipelines.configuration.tuned_values import Tuned, TunedError


@pytest.fixture
def kept(toy, tmp_path):
    """Writes a tuned file of the toy's mlp."""

    def write(values):
        folder = tuned_values.study_folder(tmp_path, "toy", "mlp")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / tuned_values.FILE
        tuned_values.write(
            Tuned("mlp", path, values, 0.75, 12, "d1", "sample"), competition="toy", study="s"
        )
        return path

    return write


def test_what_is_written_is_read(toy, kept, tmp_path):
    values = {"train.lr": 1e-05, "model.hidden": [8, 4], "model.norm": "batch", "train.epochs": 3}
    path = kept(values)
    (found,) = tuned_values.find(toy, tmp_path)
    present = settings_of(toy)
    defaults = {key: present[f"mlp.{key}"] for key in values}
    assert found == Tuned("mlp", path, values, 0.75, 12, "d1", "sample", defaults=defaults)
    assert not list(path.parent.glob(".*"))


def test_the_file_gives_way_to_tuned_values_and_those_to_what_is_typed(toy, kept, tmp_path):
    kept({"train.lr": 0.5, "train.epochs": 3})
    found = tuned_values.find(toy, tmp_path)
    competition = configure(tuned_values.apply(toy, found), sets=["mlp.train.epochs=4"])
    now = settings_of(competition)
    assert (now["mlp.train.lr"], now["mlp.train.epochs"]) == (0.5, 4)
    assert now["linear.train.lr"] == settings_of(toy)["linear.train.lr"]
    (used,) = tuned_values.still_used(competition, found)
    assert used.values == {"train.lr": 0.5}


def test_a_member_that_is_left_out_uses_nothing(toy, kept, tmp_path):
    kept({"train.lr": 0.5})
    assert tuned_values.find(toy, tmp_path, ["trees"]) == []
    found = tuned_values.find(toy, tmp_path)
    without = configure(tuned_values.apply(toy, found), members=["trees"])
    assert tuned_values.still_used(without, found) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train.lrr": 0.5}, r"mlp/tuned\.toml: unknown setting 'mlp\.train\.lrr'.*--no-tuned"),
        ({"train.lr": -1}, r"mlp/tuned\.toml: mlp\.train\.lr cannot be -1.*--no-tuned"),
    ],
    ids=["an unknown key", "a value that does not fit"],
)
def test_a_file_that_no_longer_fits_is_an_error_with_the_key(toy, kept, tmp_path, values, message):
    kept(values)
    with pytest.raises(TunedError, match=message):
        tuned_values.apply(toy, tuned_values.find(toy, tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [("[study", r"tuned\.toml: .*rm "), ("[study]\nscore = 1", r"has no 'values'")],
    ids=["no TOML", "half of it"],
)
def test_a_broken_file_is_an_error_with_its_name(toy, kept, tmp_path, text, message):
    kept({}).write_text(text)
    with pytest.raises(TunedError, match=message):
        tuned_values.find(toy, tmp_path)


@pytest.mark.parametrize(
    ("gain", "error", "data", "reason"),
    [
        (0.01, 0.004, "d1", None),
        (0.01, None, "d1", None),
        (0.01, 0.02, "d1", r"better by \+0\.0100 ± 0\.0200, within the noise"),
        (-0.01, 0.002, "d1", r"better by -0\.0100"),
        (None, None, "d1", "not scored on the folds of a run"),
        (0.01, 0.004, "d2", r"other rows \(source sample\); type foldwise tune toy"),
    ],
)
def test_values_are_used_where_they_are_better_on_the_same_rows(gain, error, data, reason):
    tuned = Tuned("mlp", Path("x"), {}, 0.75, 12, "d1", "sample", gain, error)
    found = tuned.why_not("toy", data)
    assert (found is None) == (reason is None)
    if reason is not None:
        assert re.search(reason, found)


def test_withdrawn_values_are_the_defaults_again_except_what_was_typed(toy, kept, tmp_path):
    kept({"train.lr": 0.5, "train.epochs": 3})
    found = tuned_values.find(toy, tmp_path)
    competition = configure(tuned_values.apply(toy, found), sets=["mlp.train.epochs=4"])
    left_out = tuned_values.still_used(competition, found)
    now = settings_of(tuned_values.withdrawn(competition, left_out))
    assert now["mlp.train.lr"] == settings_of(toy)["mlp.train.lr"]
    assert now["mlp.train.epochs"] == 4


def test_show_uses_tuned_values_that_are_better(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tuned_values.study_folder(tmp_path, "titanic", "mlp")
    folder.mkdir(parents=True)
    values = {"train.lr": 0.0321}
    found = Tuned("mlp", folder / tuned_values.FILE, values, 0.8, 3, "d", "sample", 0.02, 0.01)
    tuned_values.write(found, competition="titanic", study="s")
    assert app.main(["show", "titanic"]) == 0
    assert "mlp.train.lr = 0.0321" in capsys.readouterr().out
    doubtful = replace(found, gain=0.005)
    tuned_values.write(doubtful, competition="titanic", study="s")
    assert app.main(["show", "titanic"]) == 0
    assert "mlp.train.lr = 0.01 " in capsys.readouterr().out
    assert app.main(["show", "titanic", "--tuned"]) == 0
    assert "mlp.train.lr = 0.0321" in capsys.readouterr().out
    assert app.main(["show", "titanic", "--no-tuned"]) == 0
    assert "mlp.train.lr = 0.01 " in capsys.readouterr().out
    (folder / tuned_values.FILE).write_text(
        (folder / tuned_values.FILE).read_text() + "train.dropuot = 0.1\n"
    )
    assert app.main(["show", "titanic", "--tuned"]) == 2
    assert "'mlp.train.dropuot'" in capsys.readouterr().err
    assert app.main(["show", "titanic"]) == 0
    printed = capsys.readouterr()
    assert "mlp.train.lr = 0.01 " in printed.out
    assert len(printed.err.splitlines()) == 1
    assert "'mlp.train.dropuot'" in printed.err
    assert "passed over" in printed.err
