"""The models that a finished training stage saved.

Apart from `train`, so that the code of the training stage does not depend on the other stages.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.members.member import FittedModels, LoadContext, Member
from pipelines.members.predictions import Problem
from pipelines.stages.dataset import load_training_rows
from pipelines.stages.preprocess import Prepared
from pipelines.workspace.stage_files import TrainFiles


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
        folder: The folder of the member's training stage.
        encoded: The folder of its dataset stage; models that were not saved are trained again
            from its rows.
        device: `cpu` or `cuda`.
    """
    context = LoadContext(
        problem=Problem.of(competition),
        n_splits=prepared.folds.n_splits,
        device=device,
        target=prepared.target,
        weight=prepared.weight,
        view_of=lambda split: load_training_rows(encoded, prepared, split, member.inputs),
    )
    return member.load(TrainFiles(folder).models, context)
