"""Stage 4: a member and the folded data to out-of-fold and test predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.configuration.competition import Competition
from pipelines.members.data import FoldedDataset
from pipelines.members.member import FittedModels, LoadContext, Member
from pipelines.members.predictions import Predictions, Problem
from pipelines.stages.dataset import load_fold
from pipelines.stages.preprocess import Prepared
from pipelines.workspace import arrays

if TYPE_CHECKING:
    from pipelines.console import Advance

ARRAYS = ("oof", "test", "scores", "also", "importances")
MODELS = "models"  # the folder of the saved models


def train(
    competition: Competition,
    member: Member,
    dataset: FoldedDataset,
    *,
    device: str = "auto",
    progress: Advance | None = None,
) -> Predictions:
    """Train every fold and every seed of one member.

    Raises:
        TrainingError: A split ended without a usable model.
    """
    return member.fit(Problem.of(competition), dataset, device=device, progress=progress)


def save(member: Member, predictions: Predictions, folder: Path) -> None:
    """Write the arrays as npz, and the models as the member saves them; nothing is pickled."""
    made = {name: getattr(predictions, name) for name in ARRAYS}
    arrays.write(folder / "predictions.npz", made)
    arrays.write(folder / "curves.npz", predictions.curves)
    described = {
        "member": predictions.member,
        "warnings": predictions.warnings,
        "notes": predictions.notes,
    }
    (folder / "member.json").write_text(json.dumps(described) + "\n")
    (folder / MODELS).mkdir()
    member.save(predictions, folder / MODELS)


def load(folder: Path) -> Predictions:
    """Read back what `save` wrote, without the models."""
    described = json.loads((folder / "member.json").read_text())
    return Predictions(
        member=described["member"],
        warnings=tuple(described["warnings"]),
        notes=tuple(described["notes"]),
        curves=arrays.read(folder / "curves.npz"),
        **arrays.read(folder / "predictions.npz"),  # type: ignore[arg-type]
    )


def load_models(
    competition: Competition,
    member: Member,
    prepared: Prepared,
    *,
    folder: Path,
    encoded: Path,
    device: str = "cpu",
) -> FittedModels:
    """The models that a finished stage saved.

    Args:
        competition: As the run had it.
        member: The member that was trained.
        prepared: The run's tables.
        folder: What `save` was given.
        encoded: The folder of the member's dataset stage; models that were not saved are trained
            again from its rows.
        device: `cpu` or `cuda`.
    """
    context = LoadContext(
        problem=Problem.of(competition),
        n_splits=prepared.folds.n_splits,
        device=device,
        target=prepared.target,
        view_of=lambda split: load_fold(encoded, prepared, split, member.inputs),
    )
    return member.load(folder / MODELS, context)
