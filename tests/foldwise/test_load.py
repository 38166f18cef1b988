"""`foldwise.load`: stages 1 and 2 by a competition's name."""

import pytest

from foldwise import load
from pipelines import competitions


def test_the_tables_come_typed_with_target_ids_and_folds(toy, toy_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.runs.load.load_competition", {"toy": toy}.__getitem__)
    prepared = load("toy", source=toy_folder, root=tmp_path)
    assert (len(prepared.train), len(prepared.test)) == (90, 45)
    assert list(prepared.train.columns) == ["size", "kind", "double"]
    assert len(prepared.target) == len(prepared.train_ids) == 90
    assert (tmp_path / "data" / "toy").is_dir()


def test_errors_carry_their_exit_code(tmp_path):
    with pytest.raises(competitions.UnknownCompetitionError, match="did you mean 'titanic'") as e:
        load("titanik")
    assert e.value.exit_code == 2
    with pytest.raises(ValueError, match="no such file or folder") as e:
        load("titanic", source=tmp_path / "nowhere", root=tmp_path)
    assert e.value.exit_code == 2
