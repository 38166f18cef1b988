"""The members of a finished run that can be asked again about rows held out from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from features.encoders.base import complete, is_stateless, refit
from features.folds import Split
from models.estimators.boosters import Boosters
from models.estimators.boosters import predict as predict_trees
from models.training import trained
from models.training.trained import Networks
from pipelines.configuration.competition import (
    Competition,
    Encoded,
    Member,
    NetworkMember,
    TreesMember,
)
from pipelines.configuration.encoders import encoder_identities
from pipelines.stages import train
from pipelines.stages.dataset import choose, expensive_file
from pipelines.stages.ensemble import Blend
from pipelines.stages.preprocess import Prepared
from pipelines.workspace import arrays

WIDE = 300  # columns; networks of wider tables see pictures, and take minutes for so many rows


@dataclass(frozen=True)
class Panel:
    """Members with their shares, as they are asked together.

    Attributes:
        members: networks and trees that count in the blend.
        shares: their weights, summing to one.
        is_whole: whether no other member has a weight.
        kept: by member, the models that the run kept.
        encoders: by member, the name of its encoder.
    """

    members: tuple[Member, ...]
    shares: tuple[float, ...]
    is_whole: bool
    kept: Mapping[str, Networks | Boosters]
    encoders: Mapping[str, str]

    @property
    def name(self) -> str:
        """What is asked, in a few words."""
        names = ", ".join(member.name for member in self.members)
        return "the blend" if self.is_whole and len(self.members) > 1 else names

    def fold(
        self, prepared: Prepared, split: Split, number: int, stages: Path
    ) -> Callable[[pd.DataFrame], np.ndarray]:
        """What the models of one fold say of a table, `(n_rows, n_classes)`.

        The encoders are fitted again on the fold's training rows, as the models knew them.
        """
        makers = {self.encoders[member.name]: member.encoder for member in self.members}
        encoders = {name: complete(make()) for name, make in makers.items()}
        seen, target = prepared.train.iloc[split.train_rows], prepared.target[split.train_rows]
        for name, encoder in encoders.items():
            if not is_stateless(encoder):
                kept = stages / f"dataset-{name}" / expensive_file(number)
                refit(encoder, seen, target, arrays.read(kept) if kept.exists() else {})
        models = {name: _of_fold(kept, number) for name, kept in self.kept.items()}

        def predict(table: pd.DataFrame) -> np.ndarray:
            encoded = {name: encoder.transform(table) for name, encoder in encoders.items()}
            said: Any = 0.0
            for member, share in zip(self.members, self.shares, strict=True):
                inputs = choose(encoded[self.encoders[member.name]], member.inputs)
                said = said + share * _ask(models[member.name], inputs, number)
            return np.asarray(said)

        return predict


def panel(competition: Competition, blend: Blend, stages: Path) -> Panel | None:
    """The members to ask; None where there are none."""
    weights = dict(zip(blend.members, blend.weights, strict=True))
    kinds = (TreesMember,) if len(competition.columns) > WIDE else (TreesMember, NetworkMember)
    asked = [m for m in competition.members if isinstance(m, kinds) and weights[m.name] > 0]
    total = sum(weights[member.name] for member in asked)
    if not asked:
        return None
    return Panel(
        members=tuple(asked),
        shares=tuple(float(weights[member.name] / total) for member in asked),
        is_whole=bool(total > 1 - 1e-9),
        kept={m.name: _kept(competition, m, stages / f"train-{m.name}" / "models") for m in asked},
        encoders={name: known.name for name, known in encoder_identities(competition).items()},
    )


def _kept(competition: Competition, member: Member, folder: Path) -> Networks | Boosters:
    if isinstance(member, NetworkMember):
        loss, device = train.loss_of(competition), torch.device("cpu")
        return trained.load(folder, member.model.build, member.train, loss, device)
    return Boosters.read(folder)


def _of_fold(kept: Networks | Boosters, number: int) -> Networks | Boosters:
    """The models of one fold alone."""
    own = [at for at, (fold, _) in enumerate(kept.owners) if fold == number]
    owners = tuple(kept.owners[at] for at in own)
    if isinstance(kept, Boosters):
        return Boosters(owners, tuple(kept.models[at] for at in own))
    usable = tuple(kept.usable[at] for at in own)
    return replace(kept, owners=owners, usable=usable, stack=kept.stack.keep(own))


def _ask(models: Networks | Boosters, inputs: Encoded, number: int) -> np.ndarray:
    if isinstance(models, Networks):
        return models.predict_mean([inputs] * (number + 1))
    import lightgbm

    boosters = (lightgbm.Booster(model_str=text) for text in models.models)
    said = np.stack([predict_trees(booster, inputs) for booster in boosters])
    mean: np.ndarray = said.mean(axis=0)
    return mean
