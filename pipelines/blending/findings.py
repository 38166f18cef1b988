"""What a blend found out about its members: `findings.json`, which the report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from models.ensembling.contributions import correlations, what_each_adds
from models.ensembling.goal import Goal
from pipelines.workspace import files, stored
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import EnsembleFiles
from pipelines.workspace.summary import Known

if TYPE_CHECKING:
    from features.folds import Folds
    from pipelines.blending.gathering import Gathered
    from pipelines.blending.outcome import Members, Outcome

MOST_MAPPED = 40  # members in the map of correlations
DECIMALS = 4


class MemberFinding(BaseModel):
    """One member.

    Attributes:
        origin: Its run, or its two files.
        adds: How much better the nested score is with it than with the mean of the others in its
            place; None where it was not measured.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    origin: str
    adds: Known


class Findings(BaseModel):
    """All of them.

    Attributes:
        members: In the blend's order.
        mapped: Names of the members in the map.
        correlations: Of every two of them.
        by_fold: The method that predicts each split.
        errors: By method, the standard error of its difference to the best one.
        remarks: What the person was warned of.
        fold_origin: Where the folds come from.
        unscored: By file, the weight of predictions without a score.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    members: tuple[MemberFinding, ...]
    mapped: tuple[str, ...]
    correlations: tuple[tuple[float, ...], ...]
    by_fold: tuple[str, ...]
    errors: tuple[Known, ...]
    remarks: tuple[str, ...]
    fold_origin: str
    unscored: dict[str, float] = {}

    def write(self, folder: Path) -> None:
        """Write them into the ensemble's folder."""
        files.write_text(EnsembleFiles(folder).findings, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, run: RunLayout) -> Findings:
        """The findings of a finished blend.

        Raises:
            DamagedFileError: The file holds something else.
        """
        path = EnsembleFiles(run.ensemble).findings
        again = "type the foldwise blend command that made it again"
        return stored.read(cls, path, again)


def find_out(
    outcome: Outcome, members: Members, gathered: Gathered, goal: Goal, folds: Folds
) -> Findings:
    """Measure what each member adds, and how alike the members are."""
    held_out = folds.held_out
    adds = what_each_adds(outcome.choice.method, members.oof, goal, folds.assignment)
    mapped = _most_used(outcome, members)
    alike = correlations(members.oof[mapped][:, held_out])
    return Findings(
        members=tuple(
            MemberFinding(name=member.name, origin=member.origin, adds=float(gain))
            for member, gain in zip(gathered.members, adds, strict=True)
        ),
        mapped=tuple(members.names[at] for at in mapped),
        correlations=tuple(tuple(map(float, row)) for row in np.round(alike, DECIMALS)),
        by_fold=outcome.choice.names,
        errors=outcome.choice.errors,
        remarks=gathered.remarks,
        fold_origin=gathered.fold_origin,
    )


def _most_used(outcome: Outcome, members: Members) -> Sequence[int]:
    """The members with the largest weights, in the blend's order; all where they are few."""
    used = np.abs(outcome.blend.weights)
    most = np.argsort(-used, kind="stable")[:MOST_MAPPED]
    return sorted(map(int, most)) if len(members.names) > MOST_MAPPED else range(len(members.names))
