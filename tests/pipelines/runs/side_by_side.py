"""One command on the toy, as a process: `side_by_side.py WHAT START`, in the workspace.

WHAT is `run`, `tune` or `sync`; `run lr=0.1` sets the learning rate. Starts at that moment, so that
two of them meet.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from conftest import make_toy
from rich.console import Console

from pipelines.configuration.assignments import assign
from pipelines.configuration.search_space import Real
from pipelines.console import Narrator
from pipelines.runs.request import RunRequest
from pipelines.runs.run import run
from pipelines.runs.sync import sync
from pipelines.tuning.optimise import StudyOptions
from pipelines.tuning.request import TuneRequest
from pipelines.tuning.tune import tune

SPACE = {"train.lr": Real(low=1e-3, high=0.3, log=True)}


def toy():
    members = make_toy().members
    mlp = members[1].model_copy(update={"search": SPACE})
    return make_toy().model_copy(update={"members": (mlp,)})


def do(what, narrator):
    """The command; prints what it made."""
    name, _, value = what.partition(" lr=")
    if name == "run":
        competition = assign(toy(), {"mlp.train.lr": float(value)}) if value else toy()
        print(run(competition, RunRequest(source="sample"), narrator).run)
    elif name == "tune":
        options = StudyOptions(n_trials=4, seed=int(value or 0))
        (made,) = tune(toy(), TuneRequest(study=options, source="sample"), narrator)
        print(made.default.mean, made.tuned.mean)
    else:
        sync(Path(), narrator, everything=False)


if __name__ == "__main__":
    time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
    do(sys.argv[1], Narrator(Console(stderr=True, width=200)))
