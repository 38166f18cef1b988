"""The example competitions: each file loads, and its folds, encoders and members fit together."""

from pathlib import Path

import pytest

from pipelines import competitions
from pipelines.members.member import members_of

FOLDER = Path(__file__).parents[1] / "examples" / "competitions"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_it_loads(path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_COMPETITIONS", str(FOLDER))
    loaded = competitions.load_competition(path.stem.replace("_", "-"))
    assert loaded.answer_form in loaded.predicts.forms
    assert len(members_of(loaded)) >= 2
