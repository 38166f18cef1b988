"""Stage 4: a member and the folded data to out-of-fold and test predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from models.checkpoints import Renamed
from models.executor import LOCAL, Executor
from pipelines.members.predictions import Predictions, Problem
from pipelines.workspace import arrays
from pipelines.workspace.stage_files import TrainFiles

if TYPE_CHECKING:
    from models.checkpoints import Checkpoints
    from pipelines.configuration.competition import Competition
    from pipelines.members.data import FoldedDataset
    from pipelines.members.member import Member

if TYPE_CHECKING:
    from pipelines.console import Advance

REFIT = "refit"  # prefix of messages and kept files of the training on all rows
ARRAYS = ("oof", "test", "scores", "also", "importances")


def train(
    competition: Competition,
    member: Member,
    dataset: FoldedDataset,
    *,
    device: str = "auto",
    progress: Advance | None = None,
    checkpoints: Checkpoints | None = None,
    executor: Executor = LOCAL,
) -> Predictions:
    """Train every fold and every seed of one member.

    Where a refit predicts the test rows, it is trained behind the folds.

    Args:
        competition: What is predicted.
        member: What is trained.
        dataset: The encoded rows of every split.
        device: `auto`, `cpu` or `cuda`.
        progress: Called with the number of finished steps and their total.
        checkpoints: Where an unfinished training is kept, and goes on from.
        executor: Where its models are trained; changes no byte.

    Raises:
        TrainingError: A split ended without a usable model.
    """
    problem = Problem.of(competition)
    fit = partial(member.fit_kept, problem, device=device, progress=progress, executor=executor)
    predictions = fit(dataset, checkpoints)
    if dataset.refit is None:
        return predictions
    of_refit = None if checkpoints is None else Renamed(checkpoints, REFIT)
    refit = fit(dataset.for_refit(dataset.refit), of_refit)
    return replace(predictions, test=refit.test, refit_models=refit.models)


def save(member: Member, predictions: Predictions, folder: Path) -> None:
    """Write the arrays as npz, and the models as the member saves them; nothing is pickled."""
    files = TrainFiles(folder)
    arrays.write(files.predictions, {name: getattr(predictions, name) for name in ARRAYS})
    arrays.write(files.curves, predictions.curves)
    described = {
        "member": predictions.member,
        "warnings": predictions.warnings,
        "notes": predictions.notes,
    }
    files.member.write_text(json.dumps(described) + "\n")
    files.models.mkdir()
    member.save(predictions, files.models)
    if predictions.refit_models is not None:
        files.refit_models.mkdir()
        member.save(replace(predictions, models=predictions.refit_models), files.refit_models)


def load(folder: Path) -> Predictions:
    """Read back what `save` wrote, without the models."""
    files = TrainFiles(folder)
    described = json.loads(files.member.read_text())
    return Predictions(
        member=described["member"],
        warnings=tuple(described["warnings"]),
        notes=tuple(described["notes"]),
        curves=arrays.read(files.curves),
        **arrays.read(files.predictions),  # type: ignore[arg-type]
    )
