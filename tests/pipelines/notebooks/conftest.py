"""A run to make a notebook of, and a competition of a person's own."""

import itertools
from pathlib import Path

import pytest

NUMBERS = itertools.count()

OWN = """\
from foldwise import Competition, EstimatorMember, FoldPlan, LogisticSettings, load_competition
from HELPER import encoder

titanic = load_competition("titanic")
COMPETITION = Competition(
    name="titanic-mine",
    title="Titanic, of my own",
    kaggle=titanic.kaggle,
    files=titanic.files,
    id=titanic.id,
    target=titanic.target,
    classes=titanic.classes,
    metric="accuracy",
    form="labels",
    columns=titanic.columns,
    folds=FoldPlan(n_folds=3),
    members=(EstimatorMember(name="lines", encoder=encoder, estimator=LogisticSettings()),),
)
"""
HELPER = """\
from foldwise import TabularEncoder


def encoder():
    return TabularEncoder(["Fare"], ["Sex"])
"""


@pytest.fixture
def newest(workspace):
    """The id of the workspace's newest run."""
    return max(path.name for path in Path("runs/titanic").glob("2*"))


@pytest.fixture
def predicted(kaggle, workspace, newest):
    """Lets the notebook predict there with the newest run; gives the run's id."""
    csv = Path(f"submissions/titanic/{newest}.csv")
    kaggle.kernels.output = {"submission.csv": csv.read_bytes()}
    return newest


@pytest.fixture
def write_own():
    """Writes a competition's own file, and one beside it that it imports, into a workspace."""

    def write(workspace):
        helper = f"own_encoders_{next(NUMBERS)}"  # a process imports each name once
        (workspace / "competitions").mkdir()
        (workspace / "competitions" / "titanic_mine.py").write_text(OWN.replace("HELPER", helper))
        (workspace / "competitions" / f"{helper}.py").write_text(HELPER)
        return {"titanic_mine.py", f"{helper}.py"}

    return write
