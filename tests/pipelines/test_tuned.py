"""Tuned values between the competition's file and what a person types."""

import pytest

from pipelines import cli
from pipelines.configuration import configure, settings_of
from pipelines.tuning import tuned
from pipelines.tuning.tuned import Tuned, TunedError


@pytest.fixture
def kept(toy, tmp_path):
    """Writes a tuned file of the toy's mlp."""

    def write(values):
        folder = tuned.study_folder(tmp_path, "toy", "mlp")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / tuned.FILE
        tuned.write(
            Tuned("mlp", path, values, 0.75, 12, "d1", "sample"), competition="toy", study="s"
        )
        return path

    return write


def test_what_is_written_is_read(toy, kept, tmp_path):
    values = {"train.lr": 1e-05, "model.hidden": [8, 4], "model.norm": "batch", "train.epochs": 3}
    path = kept(values)
    (found,) = tuned.find(toy, tmp_path)
    assert found == Tuned("mlp", path, values, 0.75, 12, "d1", "sample")
    assert not list(path.parent.glob(".*"))


def test_the_file_gives_way_to_tuned_values_and_those_to_what_is_typed(toy, kept, tmp_path):
    kept({"train.lr": 0.5, "train.epochs": 3})
    found = tuned.find(toy, tmp_path)
    competition = configure(tuned.apply(toy, found), sets=["mlp.train.epochs=4"])
    now = settings_of(competition)
    assert (now["mlp.train.lr"], now["mlp.train.epochs"]) == (0.5, 4)
    assert now["linear.train.lr"] == settings_of(toy)["linear.train.lr"]
    (used,) = tuned.still_used(competition, found)
    assert used.values == {"train.lr": 0.5}


def test_a_member_that_is_left_out_uses_nothing(toy, kept, tmp_path):
    kept({"train.lr": 0.5})
    assert tuned.find(toy, tmp_path, ["trees"]) == []
    found = tuned.find(toy, tmp_path)
    without = configure(tuned.apply(toy, found), members=["trees"])
    assert tuned.still_used(without, found) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"train.lrr": 0.5}, r"mlp/tuned\.toml: unknown setting 'mlp\.train\.lrr'.*--no-tuned"),
        ({"train.lr": -1}, r"mlp/tuned\.toml: mlp\.train\.lr cannot be -1.*--no-tuned"),
    ],
    ids=["an unknown key", "a value that does not fit"],
)
def test_a_file_that_no_longer_fits_is_an_error_with_the_key(toy, kept, tmp_path, values, told):
    kept(values)
    with pytest.raises(TunedError, match=told):
        tuned.apply(toy, tuned.find(toy, tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [("[study", r"tuned\.toml: .*rm "), ("[study]\nscore = 1", r"has no 'values'")],
    ids=["no TOML", "half of it"],
)
def test_a_broken_file_is_an_error_with_its_name(toy, kept, tmp_path, text, told):
    kept({}).write_text(text)
    with pytest.raises(TunedError, match=told):
        tuned.find(toy, tmp_path)


def test_show_uses_the_tuned_file_unless_told_not_to(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tuned.study_folder(tmp_path, "titanic", "mlp")
    folder.mkdir(parents=True)
    values = {"train.lr": 0.0321}
    found = Tuned("mlp", folder / tuned.FILE, values, 0.8, 3, "d", "sample")
    tuned.write(found, competition="titanic", study="s")
    assert cli.main(["show", "titanic"]) == 0
    assert "mlp.train.lr = 0.0321" in capsys.readouterr().out
    assert cli.main(["show", "titanic", "--no-tuned"]) == 0
    assert "mlp.train.lr = 0.01\n" in capsys.readouterr().out
    (folder / tuned.FILE).write_text((folder / tuned.FILE).read_text() + "train.dropuot = 0.1\n")
    assert cli.main(["run", "titanic"]) == 2
    assert "'mlp.train.dropuot'" in capsys.readouterr().err
