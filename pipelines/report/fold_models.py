"""The members of a finished run that predict held-out rows again, split by split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.folds import Split
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.members.data import choose
from pipelines.members.member import FittedModels, Member, members_of
from pipelines.stages.dataset import fitted_encoder
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared
from pipelines.stages.saved_models import load_models
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import DatasetFiles


@dataclass(frozen=True)
class Panel:
    """Members that predict together, with their shares.

    Attributes:
        members: Those that count in the blend and predict fast.
        shares: Their weights, summing to one.
        is_whole: Whether no other member has a weight.
        models: By member, the models that the run saved.
        encoders: By member, the name of its encoder.
    """

    members: tuple[Member, ...]
    shares: tuple[float, ...]
    is_whole: bool
    models: Mapping[str, FittedModels]
    encoders: Mapping[str, str]

    @property
    def name(self) -> str:
        """The members' names, or "the blend" where they are all of it."""
        names = ", ".join(member.name for member in self.members)
        return "the blend" if self.is_whole and len(self.members) > 1 else names

    def fold(
        self, prepared: Prepared, split: Split, number: int, run: RunLayout
    ) -> Callable[[pd.DataFrame], np.ndarray]:
        """The prediction of one split's models for a table, `(n_rows, n_classes)`.

        The encoders are fitted again on the split's training rows, as they were for the models.
        """
        makers = {self.encoders[member.name]: member.encoder for member in self.members}
        encoders = {
            name: fitted_encoder(
                make, prepared, split, DatasetFiles(run.dataset(name)).expensive(number)
            )
            for name, make in makers.items()
        }
        models = {name: saved.of_split(number) for name, saved in self.models.items()}

        def predict(table: pd.DataFrame) -> np.ndarray:
            encoded = {name: encoder.transform(table) for name, encoder in encoders.items()}
            total: Any = 0.0
            for member, share in zip(self.members, self.shares, strict=True):
                inputs = choose(encoded[self.encoders[member.name]], member.inputs)
                total = total + share * models[member.name](inputs)
            return np.asarray(total)

        return predict


def panel(
    competition: Competition, prepared: Prepared, blend: Blend, run: RunLayout
) -> Panel | None:
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
    encoders = {name: known.name for name, known in encoder_identities(competition).items()}
    return Panel(
        members=tuple(chosen),
        shares=tuple(float(weights[member.name] / total) for member in chosen),
        is_whole=bool(total > 1 - 1e-9),
        models={
            member.name: load_models(
                competition,
                member,
                prepared,
                folder=run.train(member.name),
                encoded=run.dataset(encoders[member.name]),
            )
            for member in chosen
        },
        encoders=encoders,
    )
