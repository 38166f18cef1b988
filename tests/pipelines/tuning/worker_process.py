"""One worker of a study of the toy, as a process: `worker_process.py ROOT STORAGE N [--join]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from conftest import make_toy
from rich.console import Console

from pipelines.configuration.search_space import Choice, Real
from pipelines.console import Narrator
from pipelines.tuning import database
from pipelines.tuning import tune as tuning
from pipelines.tuning.optimise import StudyOptions

SPACE = {
    "train.lr": Real(low=1e-3, high=0.3, log=True),
    "train.weight_decay": Real(low=0.0, high=0.1),
    "model.hidden": Choice(values=((4,), (8,))),
}


def searched(toy):
    mlp = toy.members[1]
    return toy.model_copy(update={"members": (mlp.model_copy(update={"search": SPACE}),)})


def request(root, storage, n_trials, *, join=False):
    return tuning.TuneRequest(
        study=StudyOptions(n_trials=n_trials, storage=storage),
        source="sample",
        score=False,
        track=False,
        join=join,
        root=Path(root),
    )


if __name__ == "__main__":
    database.HEARTBEAT_S, database.GRACE_S = 1, 6
    asked = request(*sys.argv[1:3], int(sys.argv[3]), join="--join" in sys.argv)
    for made in tuning.tune(searched(make_toy()), asked, Narrator(Console(width=200))):
        print("best", made.best.number, made.best.score)
