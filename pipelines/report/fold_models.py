"""The members of a finished run that predict held-out rows again, split by split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.folds import Split
from pipelines.configuration.competition import Competition
from pipelines.members.data import choose
from pipelines.members.member import FittedModels, Member, members_of
from pipelines.stages import train
from pipelines.stages.dataset import costly_file, fitted_encoder
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared


@dataclass(frozen=True)
class Panel:
    """Members that predict together, with their shares.

    Attributes:
        members: Those that count in the blend and predict fast.
        shares: Their weights, summing to one.
        is_whole: Whether no other member has a weight.
        models: By member, the models that the run saved.
    """

    members: tuple[Member, ...]
    shares: tuple[float, ...]
    is_whole: bool
    models: Mapping[str, FittedModels]

    @property
    def name(self) -> str:
        """The members' names, or "the blend" where they are all of it."""
        names = ", ".join(member.name for member in self.members)
        return "the blend" if self.is_whole and len(self.members) > 1 else names

    def fold(
        self, prepared: Prepared, split: Split, number: int, stages: Path
    ) -> Callable[[pd.DataFrame], np.ndarray]:
        """The prediction of one split's models for a table, `(n_rows, n_classes)`.

        The encoders are fitted again on the split's training rows, as they were for the models.
        """
        encoders = {
            make: fitted_encoder(
                make, prepared, split, stages / f"dataset-{make.__name__}" / costly_file(number)
            )
            for make in dict.fromkeys(member.encoder for member in self.members)
        }
        models = {name: saved.of_split(number) for name, saved in self.models.items()}

        def predict(table: pd.DataFrame) -> np.ndarray:
            encoded = {make: encoder.transform(table) for make, encoder in encoders.items()}
            total: Any = 0.0
            for member, share in zip(self.members, self.shares, strict=True):
                inputs = choose(encoded[member.encoder], member.inputs)
                total = total + share * models[member.name](inputs)
            return np.asarray(total)

        return predict


def panel(competition: Competition, prepared: Prepared, blend: Blend, stages: Path) -> Panel | None:
    """The members that predict fast and have a weight; None where there are none."""
    weights = dict(zip(blend.members, blend.weights, strict=True))
    n_columns = len(competition.columns)
    chosen = [
        member
        for member in members_of(competition)
        if member.predicts_fast(n_columns) and weights[member.name] > 0
    ]
    total = sum(weights[member.name] for member in chosen)
    if not chosen:
        return None
    return Panel(
        members=tuple(chosen),
        shares=tuple(float(weights[member.name] / total) for member in chosen),
        is_whole=bool(total > 1 - 1e-9),
        models={member.name: _models(competition, member, prepared, stages) for member in chosen},
    )


def _models(
    competition: Competition, member: Member, prepared: Prepared, stages: Path
) -> FittedModels:
    return train.load_models(
        competition,
        member,
        prepared,
        folder=stages / f"train-{member.name}",
        encoded=stages / f"dataset-{member.encoder.__name__}",
    )
