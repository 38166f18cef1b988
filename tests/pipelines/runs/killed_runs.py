"""Runs whose processes are killed at random moments of stage 4: `killed_runs.py ROOT [KIND ...]`.

For each kind of member `ROOT/KIND/whole` is a run that was left alone and kept nothing, `kept` one
that was left alone, and `killed-SEED` one that was killed as often as its seed drew; beside each
lies a text of what its processes printed. The moment of a kill is counted in calls of functions, in
all threads. Prints as JSON how often each was killed.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # with a thread alone the processes below can be forked

import json
import math
import random
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from conftest import make_toy, scaled, unscaled
from rich.console import Console

from features.encoders.base import BaseEncoder
from features.encoders.text import TextEncoder
from features.folds import FoldPlan
from models.architectures.convnets import SmallConvNetSettings
from models.architectures.mlp import MLPSettings
from models.architectures.recurrent import RecurrentSettings
from models.estimators.sklearn_models import ExtraTreesSettings
from models.estimators.trees import TreesSettings
from models.training.settings import TrainSettings, WarpSettings
from pipelines.console import Narrator
from pipelines.members.estimator import EstimatorMember
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember
from pipelines.raw_files.sources import choose_source
from pipelines.stages.download import download
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace.kept_training import KeptTraining
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import StageStore

DO = StageStore.do
SEEDS = (1, 2)
MOST_KILLS = 3
QUICK = TrainSettings(epochs=8, batch_size=16, lr=0.05)
FOLDS = FoldPlan(n_folds=3)


class Pictures(BaseEncoder):
    """A picture for each row: its size and its double, spread over sixteen by sixteen pixels."""

    def fit(self, table, target=None):
        self.width_ = 16
        return self

    def transform(self, table):
        waves = np.sin(np.outer(np.arange(16), np.arange(16)) / 16)
        image = table["size"].to_numpy()[:, None, None] * waves
        return {"image": image[:, None].astype(np.float32)}


def letters():
    return TextEncoder("kind", unit="char", max_len=6, fixed_width=True)


def stopping(**settings):
    return QUICK.model_copy(update={"patience": 2, "schedule": "one_cycle", **settings})


MLP = NetworkMember(
    name="mlp",
    encoder=scaled,
    model=MLPSettings(hidden=(8,), dropout=0.2, norm="batch"),
    train=stopping(),
    n_seeds=2,
)
TEXTS = NetworkMember(
    name="texts",
    encoder=letters,
    model=RecurrentSettings(embedding_size=3, hidden=4, word_dropout=0.2),
    train=stopping(length_pool=2, monitor="metric"),
)
PICTURES = NetworkMember(
    name="pictures",
    encoder=Pictures,
    model=SmallConvNetSettings(channels=(4, 4), hidden=8),
    train=QUICK.model_copy(update={"epochs": 4, "augment": WarpSettings(), "n_views": 2}),
)
TREES = TreesMember(
    name="trees",
    encoder=unscaled,
    trees=TreesSettings(n_estimators=10, n_threads=2, early_stopping=5),
    n_seeds=2,
)
FOREST = EstimatorMember(
    name="forest", encoder=scaled, estimator=ExtraTreesSettings(n_estimators=5), n_seeds=2
)
KINDS = {
    "mlp": {"members": (MLP,), "folds": FOLDS},
    "texts": {"members": (TEXTS,), "folds": FOLDS},
    "pictures": {"members": (PICTURES,), "folds": FOLDS},
    "trees": {"members": (TREES,), "folds": FOLDS},
    "estimator": {"members": (FOREST,), "folds": FOLDS},
    "by time": {"members": (MLP, TREES), "folds": FoldPlan(n_folds=2, time="size")},
}


class Killer:
    """Kills this process at the given call of a function within stage 4."""

    def __init__(self, at):
        self.n_calls, self.at = 0, at

    def __call__(self, frame, event, argument):
        self.n_calls += 1
        if self.n_calls >= self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self):
        """Count the calls of every stage 4."""

        def watched(store, name, make, **ingredients):
            if not name.startswith("train"):
                return DO(store, name, make, **ingredients)
            threading.setprofile(self)
            sys.setprofile(self)
            try:
                return DO(store, name, make, **ingredients)
            finally:
                sys.setprofile(None)
                threading.setprofile(None)

        StageStore.do = watched


def run(root, kind, folder, at=math.inf):
    """Stages 2 to 6 in this process; the number of calls in stage 4."""
    competition = make_toy().model_copy(update=KINDS[kind])
    raw = download(competition, choose_source("sample", competition), root / "data")
    killer = Killer(at)
    killer.watch()
    with (root / f"{folder}.txt").open("a") as log:
        narrator = Narrator(Console(file=log, width=200))
        store = StageStore(RunLayout(root / folder / "toy" / "run"))
        with narrator.stages():
            Pipeline(competition, raw, store, narrator, device="cpu").run()
    return killer.n_calls


def forked(function):
    """Call the function in a process of its own; what it returned, or None if it was killed."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        answer = stream.read()
    status = os.waitpid(process, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return None
    return json.loads(answer)


def whole(root, kind):
    """In this process, which so loads everything that the killed ones need."""
    KeptTraining.share = 0.0
    run(root, kind, "whole")


def keeping(root, kind, folder, at=math.inf):
    """In a process of its own, which keeps how far it is as often as it can."""

    def function():
        KeptTraining.share, KeptTraining.least_s = math.inf, 0.0
        return run(root, kind, folder, at)

    return forked(function)


def killed(root, kind, seed, n_calls):
    """How often a run was killed until it ended."""
    rng = random.Random(f"{kind} {seed}")
    for n_kills in range(MOST_KILLS):
        if keeping(root, kind, f"killed-{seed}", round(rng.uniform(0.1, 0.9) * n_calls)):
            return n_kills
    assert keeping(root, kind, f"killed-{seed}")
    return MOST_KILLS


def main():
    root, kills = Path(sys.argv[1]), {}
    for kind in sys.argv[2:] or KINDS:
        place = root / kind
        place.mkdir(parents=True)
        whole(place, kind)
        n_calls = keeping(place, kind, "kept")
        kills[kind] = [killed(place, kind, seed, n_calls) for seed in SEEDS]
    print(json.dumps(kills))


if __name__ == "__main__":
    main()
