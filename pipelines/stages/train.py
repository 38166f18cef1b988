"""Stage 4: a member and the folded data to out-of-fold and test predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.members.predictions import Predictions, Problem
from pipelines.workspace import arrays

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.members.data import FoldedDataset
    from pipelines.members.member import Member, Progress

ARRAYS = ("oof", "test", "scores", "also", "importances")
MODELS = "models"  # the folder of the saved models


def train(
    competition: Competition,
    member: Member,
    dataset: FoldedDataset,
    *,
    device: str = "auto",
    progress: Progress | None = None,
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
