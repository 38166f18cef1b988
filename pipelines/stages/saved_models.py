"""The models that a finished training stage saved.

Apart from `train`, so that the code of the training stage does not depend on the other stages.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    """The models of all splits that a finished stage saved.

    Args:
        competition: As the run had it.
        member: The member that was trained.
        prepared: The run's tables.
        folder: The folder of the member's training stage.
        encoded: The folder of its dataset stage; models that were not saved are trained again
            from its rows.
        device: `cpu` or `cuda`.
    """
    n_splits = prepared.folds.n_splits
    saved = _Saved(competition, member, prepared, encoded, device)
    return member.load(TrainFiles(folder).models, saved.context(n_splits, first=0))


def load_models_of_new_rows(
    competition: Competition,
    member: Member,
    prepared: Prepared,
    *,
    folder: Path,
    encoded: Path,
    device: str = "cpu",
) -> FittedModels:
    """The models that predict new rows: those of the refit where there is one, else of all splits.

    The arguments are those of `load_models`.
    """
    saved = _Saved(competition, member, prepared, encoded, device)
    n_splits = prepared.folds.n_splits
    if prepared.folds.refit is None:
        return member.load(TrainFiles(folder).models, saved.context(n_splits, first=0))
    return member.load(TrainFiles(folder).refit_models, saved.context(1, first=n_splits))


@dataclass(frozen=True)
class _Saved:
    """A member's training stage, and what it was trained on."""

    competition: Competition
    member: Member
    prepared: Prepared
    encoded: Path
    device: str

    def context(self, n_splits: int, *, first: int) -> LoadContext:
        """What loading the models of some consecutive splits needs."""
        prepared, inputs = self.prepared, self.member.inputs
        return LoadContext(
            problem=Problem.of(self.competition),
            n_splits=n_splits,
            device=self.device,
            target=prepared.target,
            weight=prepared.weight,
            view_of=lambda split: load_training_rows(self.encoded, prepared, first + split, inputs),
        )
