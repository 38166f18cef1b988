"""`foldwise compare-losses`: measures CrossEntropyLoss, LogSoftmax + NLLLoss and the naive form.

Stages 1 to 3 are those of a run; the comparison is then measured on the first fold, drawn, written
as one page, and tracked in MLflow as a run with a child for each form.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from models.metrics import METRICS
from pipelines import extras
from pipelines.compare_losses import mlflow_records, page
from pipelines.compare_losses.figures import draw, save_all
from pipelines.compare_losses.measure import Measured, Setting, measure
from pipelines.compare_losses.trial import TrialPlan
from pipelines.configuration.assignments import choose_members, resolved
from pipelines.configuration.competition import Competition
from pipelines.console import Narrator, print_line
from pipelines.members.data import fold_data
from pipelines.members.network import NetworkMember, networks_of
from pipelines.members.predictions import Problem
from pipelines.raw_files.raw import RawFiles
from pipelines.stages.download import fetch
from pipelines.stages.pipeline import Pipeline
from pipelines.tracking.tracker import Tracker
from pipelines.workspace import arrays
from pipelines.workspace.files import fingerprint
from pipelines.workspace.layout import FIGURES, RunLayout, Workspace
from pipelines.workspace.stage_cache import StageStore

PREFIX = "compare-losses"


class CompareLossesError(ValueError):
    """A competition or a member without a multiclass loss to compare."""

    exit_code = 2


@dataclass(frozen=True)
class CompareLossesRequest:
    """What the command line sets beyond the configuration.

    Attributes:
        source: `auto`, `kaggle`, `sample` or a path.
        member: The network to train; None for the competition's first one.
        n_steps: Optimiser steps of each trial.
        track: Whether to write MLflow runs.
        root: The folder that holds `data/` and `runs/`.
    """

    source: str = "auto"
    member: str | None = None
    n_steps: int = 300
    track: bool = True
    root: Path = Path()


@dataclass(frozen=True)
class Comparison:
    """A finished comparison: its setting, its measurements and its folder."""

    setting: Setting
    measured: Measured
    folder: Path
    mlflow_run_id: str | None = None


def compare_losses(
    competition: Competition, request: CompareLossesRequest, narrator: Narrator
) -> Comparison:
    """Measure the three forms of the loss on a network of the competition, and write the page.

    Raises:
        CompareLossesError: Two classes, or no network to train.
        MissingLibraryError: matplotlib, which draws its figures, is not installed.
    """
    extras.need("matplotlib")
    member = _network(competition, request.member)
    start = time.perf_counter()
    raw = fetch(competition, narrator, source=request.source, root=request.root)
    folder = _new_folder(competition, member, raw, request)
    narrator.say("comparison", str(folder))
    with narrator.stages():
        plan = _plan(competition, member, raw, folder, request, narrator)
        measured = measure(plan, narrator, n_classes=len(competition.classes))
    setting = _setting(competition, member, raw, plan, run=folder.name)
    _write(setting, measured, folder)
    comparison = Comparison(setting, measured, folder)
    narrator.say("seconds", f"{time.perf_counter() - start:.1f}")
    return _track(comparison, request, narrator) if request.track else comparison


def show(comparison: Comparison, console: Console) -> None:
    """Print the table, the answer, and the paths of the results."""
    page.show(comparison.setting, comparison.measured, console)
    console.print()
    print_line(console, "page", str(comparison.folder / page.FILE))
    print_line(console, "mlflow run", comparison.mlflow_run_id or "not tracked")


def _network(competition: Competition, name: str | None) -> NetworkMember:
    """The member to train."""
    if competition.predicts.kind != "multiclass":
        kind = competition.predicts.kind
        raise CompareLossesError(
            f"{competition.name} has a {kind} target, so its networks do not train with "
            "CrossEntropyLoss; compare-losses needs three classes or more: type `foldwise list`"
        )
    chosen = competition if name is None else choose_members(competition, [name])
    networks = networks_of(chosen)
    if not networks:
        names = [member.name for member in networks_of(competition)]
        raise CompareLossesError(
            f"{competition.name}: {name or 'no member'} is no network, expected one of "
            f"{', '.join(names) or 'its networks, but it has none'}"
        )
    return networks[0]


def _new_folder(
    competition: Competition, member: NetworkMember, raw: RawFiles, request: CompareLossesRequest
) -> Path:
    """A new folder for every comparison, since timings are never the same twice."""
    now = datetime.now(UTC)
    identity = [resolved(competition), member.name, raw.digest, request.n_steps, now.isoformat()]
    name = f"{PREFIX}-{now:%Y%m%d-%H%M%S}-{fingerprint(identity)[:6]}"
    folder = Workspace(request.root).run(competition.name, name).folder
    folder.mkdir(parents=True)
    return folder


def _plan(
    competition: Competition,
    member: NetworkMember,
    raw: RawFiles,
    folder: Path,
    request: CompareLossesRequest,
    narrator: Narrator,
) -> TrialPlan:
    """Stages 2 and 3, and the first fold's rows."""
    pipeline = Pipeline(competition, raw, StageStore(RunLayout(folder)), narrator, device="cpu")
    data = pipeline.dataset_of(member)
    names = dict.fromkeys(("log_loss", "accuracy", competition.metric.name))
    return TrialPlan(
        build=member.builder(Problem.of(competition), data),
        fold=fold_data(data.views[0]),
        target=data.target,
        settings=member.train,
        n_steps=request.n_steps,
        metrics=[METRICS[name] for name in names],
    )


def _setting(
    competition: Competition, member: NetworkMember, raw: RawFiles, plan: TrialPlan, *, run: str
) -> Setting:
    n_rows = len(plan.fold.train_rows)
    return Setting(
        run=run,
        competition=competition.name,
        title=competition.title,
        source=raw.source,
        origin=raw.origin,
        synthetic=raw.synthetic,
        member=member.name,
        network=type(plan.build()).__name__,
        n_weights=sum(weight.numel() for weight in plan.build().parameters()),
        n_classes=len(competition.classes),
        n_train=n_rows,
        n_valid=len(plan.fold.valid_rows),
        batch_size=min(member.train.batch_size or n_rows, n_rows),
        n_steps=plan.n_steps,
        optimizer=member.train.optimizer,
        lr=member.train.lr,
        label_smoothing=member.train.label_smoothing,
    )


def _write(setting: Setting, measured: Measured, folder: Path) -> None:
    """Numbers, figures, and the page last."""
    numbers = {"setting": setting.model_dump(), **measured.numbers()}
    (folder / "comparison.json").write_text(json.dumps(numbers, indent=1, allow_nan=False) + "\n")
    arrays.write(folder / "steps.npz", measured.steps())
    figures = dict(draw(setting, measured))
    save_all(figures, folder / FIGURES)
    page.write(setting, measured, figures, folder / page.FILE)


def _track(comparison: Comparison, request: CompareLossesRequest, narrator: Narrator) -> Comparison:
    """Write the MLflow runs; an unreachable server is a warning."""
    setting, folder = comparison.setting, comparison.folder
    family = mlflow_records.records(setting, comparison.measured, folder)
    tracker = Tracker.start(request.root, narrator)
    run_id = tracker.family(family, setting.competition) if tracker else None
    return Comparison(setting, comparison.measured, folder, run_id)
