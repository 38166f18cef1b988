"""How long `foldwise blend` takes, and how honest its score is.

    python -m benchmarks.blend speed
    python -m benchmarks.blend sixty ADULT-INCOME.zip

`speed`: 200 members of 100,000 rows, binary, hill climbing on AUC with its nested score, as files.
`sixty`: three saved runs with 60 members of different kinds, seeds and settings on a part of
adult-income. Labels of further rows are kept back: what each score promises is compared with what
new rows give. With the package `hillclimbers` installed, its blend of the same predictions too.
"""

from __future__ import annotations

import contextlib
import io
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from features.encoders.tabular import TabularEncoder
from foldwise import (
    Column,
    Competition,
    EstimatorMember,
    FoldPlan,
    LogisticSettings,
    TreesMember,
    TreesSettings,
)
from models.ensembling.goal import Goal
from models.ensembling.methods import methods_for
from models.ensembling.nested_methods import NestedMethod, best_alone, evaluate
from models.ensembling.search_objectives import fast_auc
from models.estimators.sklearn_models import ExtraTreesSettings
from pipelines.blending.blend import blend
from pipelines.blending.members import from_runs, runs_to_blend
from pipelines.blending.request import BlendRequest, Files, How
from pipelines.console import Narrator
from pipelines.runs.request import RunRequest
from pipelines.runs.run import run
from pipelines.stages.run_contents import RunContents
from pipelines.workspace.layout import Workspace

N_MEMBERS, N_ROWS, N_TEST = 200, 100_000, 50_000
N_KNOWN, N_NEW = 8_000, 15_000
SIZES = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
KINDS = ("workclass", "education", "marital-status", "occupation", "relationship", "race", "gender")


def main() -> None:
    narrator = Narrator(Console(width=120))
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1] == "speed":
            speed(Path(folder), narrator)
        else:
            sixty(Path(folder), Path(sys.argv[2]), narrator)


def speed(root: Path, narrator: Narrator) -> None:
    """The seconds and the memory of the whole command, reading and checks included."""
    competition = _wide(root)
    files = Files(pairs=(str(root / "preds" / "oof_*.npy"),))
    request = BlendRequest(
        files=files, how=How(method="hill"), source=str(root / "raw"), track=False, root=root
    )
    start, used = time.perf_counter(), time.process_time()
    summary = blend(competition, request, narrator)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ways = {way.name: round(way.score, 5) for way in summary.ways}
    print(f"{seconds:.0f} s, {cpu:.0f} s of processors, {peak:.1f} GB at most, {ways}")


def _wide(root: Path) -> Competition:
    """Files of a competition whose rows are many, and 200 members' predictions beside them."""
    rng = np.random.default_rng(0)
    n = N_ROWS + N_TEST
    signal = 1.5 * rng.normal(size=n)
    target = (rng.random(n) < 1 / (1 + np.exp(-signal))).astype(int)
    table = pd.DataFrame({"id": np.arange(n), "x": signal.round(3), "y": target})
    for name in ("raw", "preds"):
        (root / name).mkdir()
    table[:N_ROWS].to_csv(root / "raw" / "train.csv", index=False)
    table[N_ROWS:].drop(columns="y").to_csv(root / "raw" / "test.csv", index=False)
    table[N_ROWS:][["id", "y"]].assign(y=0.5).to_csv(root / "raw" / "sample.csv", index=False)
    shared = rng.normal(size=(8, n))
    for member in range(N_MEMBERS):
        own = rng.uniform(0.5, 1.5) * rng.normal(size=n)
        odds = signal + 0.6 * shared[member % 8] + own
        second = (1 / (1 + np.exp(-odds))).astype(np.float32)
        np.save(root / "preds" / f"oof_{member:03d}.npy", second[:N_ROWS])
        np.save(root / "preds" / f"sub_{member:03d}.npy", second[N_ROWS:])
    return Competition(
        name="wide",
        title="Many rows",
        files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
        id="id",
        target="y",
        classes=(0, 1),
        metric="auc",
        form="probabilities",
        columns=(Column(name="x", kind="float"),),
        folds=FoldPlan(n_folds=5),
        members=(TreesMember(name="none", encoder=_one_column, trees=TreesSettings()),),
    )


def _one_column() -> TabularEncoder:
    return TabularEncoder(["x"], scaling="none")


def sixty(root: Path, archive: Path, narrator: Narrator) -> None:
    """Nested scores against what new rows give."""
    truth = _adult_files(root, archive)
    for number in range(3):
        request = RunRequest(source=str(root / "raw"), track=False, root=root)
        run(_adult(number), request, Narrator(Console(quiet=True)))
        print(f"run {number + 1} of 3", flush=True)
    competition = _adult(0)
    summary = blend(competition, BlendRequest(track=False, root=root), narrator)
    csv = pd.read_csv(root / summary.submission)
    made = f"**foldwise blend** ({summary.way})"
    members = _predictions(root, competition)
    print("| what | same rows | nested | new rows |\n|---|--:|--:|--:|")
    print(f"| {made} | | {summary.cv:.5f} | {_auc(truth, csv['income']):.5f} |")
    for row in (*_methods(members, truth), *_hillclimbers(members, truth)):
        print(row, flush=True)


def _adult_files(root: Path, archive: Path) -> np.ndarray:
    """Some rows to learn from, others as test rows; gives the labels of the latter."""
    with zipfile.ZipFile(archive) as opened, opened.open("train.csv") as stream:
        table = pd.read_csv(stream, skipinitialspace=True)
    table = table[["id", *SIZES, *KINDS, "income"]].sample(N_KNOWN + N_NEW, random_state=0)
    known, new = table[:N_KNOWN], table[N_KNOWN:]
    (root / "raw").mkdir()
    known.to_csv(root / "raw" / "train.csv", index=False)
    new.drop(columns="income").to_csv(root / "raw" / "test.csv", index=False)
    new[["id", "income"]].assign(income=0.5).to_csv(root / "raw" / "sample.csv", index=False)
    return new["income"].to_numpy()


def _for_trees() -> TabularEncoder:
    return TabularEncoder(list(SIZES), list(KINDS), scaling="none")


def _for_lines() -> TabularEncoder:
    return TabularEncoder(list(SIZES), list(KINDS))


def _adult(number: int) -> Competition:
    """Twenty members: boosted trees, linear models and forests with settings by chance."""
    rng = np.random.default_rng(number)
    boosted = [
        TreesMember(
            name=f"boosted-{at}",
            encoder=_for_trees,
            trees=TreesSettings(
                n_estimators=int(rng.integers(20, 120)),
                learning_rate=float(rng.choice([0.03, 0.1, 0.2])),
                num_leaves=int(rng.choice([3, 7, 15, 31])),
                subsample=float(rng.uniform(0.4, 1.0)),
                colsample_bytree=float(rng.uniform(0.3, 1.0)),
                extra_trees=bool(rng.integers(2)),
            ),
        )
        for at in range(14)
    ]
    lines = [
        EstimatorMember(
            name=f"line-{at}",
            encoder=_for_lines,
            estimator=LogisticSettings(C=float(10 ** rng.uniform(-4, 0))),
        )
        for at in range(3)
    ]
    forests = [
        EstimatorMember(
            name=f"forest-{at}",
            encoder=_for_lines,
            estimator=ExtraTreesSettings(
                n_estimators=40,
                max_features=float(rng.uniform(0.1, 0.6)),
                min_samples_leaf=int(rng.integers(1, 12)),
            ),
        )
        for at in range(3)
    ]
    return Competition(
        name="adult",
        title="Income",
        files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
        id="id",
        target="income",
        classes=(0, 1),
        metric="auc",
        form="probabilities",
        columns=(
            *(Column(name=name, kind="float", missing=True) for name in SIZES),
            *(Column(name=name, kind="text", missing=True) for name in KINDS),
        ),
        folds=FoldPlan(n_folds=5),
        members=(*boosted, *lines, *forests),
    )


@dataclass(frozen=True)
class Predictions:
    """The members' predictions, `(n_members, n, 2)` each, the goal and the folds."""

    oof: np.ndarray
    test: np.ndarray
    goal: Goal
    folds: np.ndarray


def _predictions(root: Path, competition: Competition) -> Predictions:
    runs = runs_to_blend(root, competition, ())
    prepared = RunContents(Workspace(root).run("adult", runs[0].run)).prepared
    members = list(from_runs(runs, root, prepared, are_named=True))
    oof, test = (np.stack([getattr(m, part) for m in members]) for part in ("oof", "test"))
    goal = Goal(prepared.target, competition.predicts, competition.metric)
    return Predictions(oof, test, goal, prepared.folds.assignment)


def _methods(members: Predictions, truth: np.ndarray) -> Iterator[str]:
    """Each method's score on the rows that it was fitted on, nested, and on new rows."""
    oof, goal, folds = members.oof, members.goal, members.folds
    scores = np.stack([goal.decide(member, folds).scores for member in oof])
    yield _row(best_alone(scores, oof, goal, folds), members, truth)
    for negative in (False, True):
        for name, methods in methods_for(goal, negative=negative).items():
            for method in methods if not negative or name in ("hill", "gradient") else ():
                yield _row(evaluate(method, oof, goal, folds), members, truth, negative=negative)


def _row(
    method: NestedMethod, members: Predictions, truth: np.ndarray, *, negative: bool = False
) -> str:
    same, new = (method.of_all.predict(part) for part in (members.oof, members.test))
    name = f"{method.name}{', negative weights' * negative}"
    fitted_on = _auc(members.goal.target, same[:, 1])
    return f"| {name} | {fitted_on:.5f} | {method.mean:.5f} | {_auc(truth, new[:, 1]):.5f} |"


def _hillclimbers(members: Predictions, truth: np.ndarray) -> Iterator[str]:
    """The package's blend, with the score that it prints: on the rows that it climbed."""
    try:
        from hillclimbers import climb_hill
        from hillclimbers import partial as bound
    except ImportError:
        print("hillclimbers is not installed, so it is left out")
        return
    oof, test = (
        pd.DataFrame(part[:, :, 1].T).add_prefix("m") for part in (members.oof, members.test)
    )
    for negative in (False, True):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            new, own = climb_hill(
                train=pd.DataFrame({"y": members.goal.target}),
                oof_pred_df=oof,
                test_pred_df=test,
                target="y",
                objective="maximize",
                eval_metric=bound(_auc),
                negative_weights=negative,
                plot_hill=False,
                return_oof_preds=True,
            )
        name = f"hillclimbers{', negative weights' * negative}"
        seconds = time.perf_counter() - start
        scores = f"{_auc(members.goal.target, own):.5f} | | {_auc(truth, new):.5f}"
        yield f"| {name} ({seconds:.0f} s) | {scores} |"


def _auc(target: np.ndarray, values: np.ndarray) -> float:
    return fast_auc(np.asarray(target) == 1, np.asarray(values, dtype=np.float64))


if __name__ == "__main__":
    main()
