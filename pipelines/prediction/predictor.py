"""A finished run that predicts new rows, by the models, the encoders and the way that it kept."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from models.ensembling.blending import blend
from models.ensembling.combiners import Recipe
from models.estimators.boosters import Boosters
from models.estimators.persistence import Estimators
from models.training import trained
from pipelines.configuration.assignments import ConfigurationError, as_stored
from pipelines.configuration.competition import (
    Competition,
    Encoded,
    Encoder,
    EstimatorMember,
    Member,
    NetworkMember,
    TreesMember,
)
from pipelines.prediction.encoding import encode_rows, read_rows
from pipelines.stages import ensemble, preprocess, train, train_test_overlap
from pipelines.stages.dataset import load_fold
from pipelines.stages.pipeline import CODE
from pipelines.workspace.provenance import code_digest
from pipelines.workspace.run_folders import FILE as RUN_FILE

PROBE = 64  # test rows of the run that are predicted anew where the code has changed
GROUP = 8  # rows that a group counts for
TOLERANCE = 1e-6  # of a probability: another batch of rows rounds otherwise in float32


class PredictorError(ValueError):
    """A run that cannot predict new rows."""

    exit_code = 2


class Models(Protocol):
    """The models of a member, one or more for each fold."""

    def predict_mean(self, inputs_per_fold: list[Encoded], /) -> np.ndarray:
        """The mean of them all, `(n, n_classes)`."""
        ...


@dataclass(frozen=True)
class Predictor:
    """A finished run.

    Attributes:
        folder: the run's.
        competition: with the settings that the run was made with.
        described: what `run.json` says.
        scratch: where encoded rows lie while they are predicted.
    """

    folder: Path
    competition: Competition
    described: Mapping[str, Any]
    scratch: Path

    @classmethod
    def open(cls, folder: Path, competition: Competition, scratch: Path | None = None) -> Predictor:
        """The run of that folder.

        Args:
            folder: of a finished run.
            competition: as its file has it today.
            scratch: a folder with room for the encoded rows; the run's own if None.

        Raises:
            PredictorError: the run lacks what predictions need, or has members of another code.
        """
        described = json.loads((folder / RUN_FILE).read_text())
        if not (folder / "stages" / "ensemble" / ensemble.RECIPE).is_file():
            raise PredictorError(
                f"run {folder.name} did not keep what predictions need; {_again(competition)}"
            )
        try:
            as_then = as_stored(competition, described["configuration"])
        except ConfigurationError as error:
            reason = str(error).split(";")[0]
            raise PredictorError(
                f"run {folder.name} was made by other code ({reason}); {_again(competition)}"
            ) from error
        return cls(folder, as_then, described, scratch or folder)

    @cached_property
    def is_of_this_code(self) -> bool:
        """Whether code and libraries are those that made the run."""
        now: str = code_digest((*CODE, self.competition.features.__module__))
        return bool(now == self.described["code"])

    @cached_property
    def prepared(self) -> preprocess.Prepared:
        """The run's own tables."""
        return preprocess.load(self._stage("preprocess"))

    @cached_property
    def recipe(self) -> Recipe:
        """The way from the members' predictions to one."""
        return ensemble.load_recipe(
            self._stage("ensemble"), self.competition, self.prepared, self._stacker_inputs
        )

    def predict(self, table: pd.DataFrame, advance: Advance | None = None) -> np.ndarray:
        """Probabilities of new rows, `(n_rows, n_classes)`.

        Args:
            table: the competition's feature columns, typed.
            advance: told how many steps are done, and of how many.
        """
        featured = self.competition.features(table.reset_index(drop=True))
        own = self.competition.members
        members = np.zeros((len(own), len(table), len(self.competition.classes)))
        used = self.recipe.members_used(len(own))
        by_encoder: dict[Callable[[], Encoder], list[int]] = {}
        for place in np.flatnonzero(used):
            by_encoder.setdefault(own[place].encoder, []).append(int(place))
        steps = Steps(len(by_encoder) * self._n_folds + int(used.sum()), advance)
        for encoder, places in by_encoder.items():
            self._predict_members(encoder, places, featured, members, steps)
        made = self.recipe.predict(members, self._kin(featured, members))
        return train_test_overlap.with_told(self._told(featured), made)

    def change(self) -> str | None:
        """What is to be said of code that has changed since the run; None where it has not.

        Some of the run's own test rows are predicted again and held against what it said of them.
        """
        if self.is_of_this_code:
            return None
        told = f"code or libraries have changed since run {self.folder.name} was made"
        columns = [column.name for column in self.competition.columns]
        if not set(columns) <= set(self.prepared.test):
            return f"{told}; {_again(self.competition)}"
        some = self._some_test_rows()
        said = ensemble.load(self._stage("ensemble")).test[some]
        again = self.predict(self.prepared.test.loc[some, columns])
        largest = float(np.abs(again - said).max())
        if largest <= TOLERANCE:
            return f"{told}: {len(again)} of its test rows come out as they did then"
        return (
            f"{told}: its own test rows now come out otherwise, by up to {largest:.2g}; "
            f"{_again(self.competition)}"
        )

    def _some_test_rows(self) -> np.ndarray:
        """Some test rows, `(n_test,) bool`; where rows see each other, whole groups of them."""
        test, group = self.prepared.test, self.competition.folds.group
        place = np.arange(len(test))
        if self.competition.kin is not None and group is not None:
            place = pd.factorize(test[group])[0] * GROUP
        some: np.ndarray = place < PROBE
        return some

    def _predict_members(
        self,
        encoder: Callable[[], Encoder],
        places: Sequence[int],
        table: pd.DataFrame,
        members: np.ndarray,
        steps: Steps,
    ) -> None:
        """Fill in the members of one encoder: `members (n_members, n_rows, n_classes)`."""
        with tempfile.TemporaryDirectory(prefix=".predict-", dir=self.scratch) as scratch:
            folds = encode_rows(
                table,
                encoder,
                self.prepared,
                stage=self._stage(f"dataset-{encoder.__name__}"),
                folder=Path(scratch),
                on_fold=steps.take,
            )
            for place in places:
                member = self.competition.members[place]
                rows = [read_rows(fold, member.inputs) for fold in folds]
                members[place] = self._models(member).predict_mean(rows)
                steps.take()

    def _models(self, member: Member) -> Models:
        folder = self._stage(f"train-{member.name}") / "models"
        if isinstance(member, NetworkMember):
            return self._networks(folder, member)
        if isinstance(member, TreesMember):
            return Boosters.read(folder)
        owners = [(f, s) for f in range(self._n_folds) for s in range(member.n_seeds)]
        return Estimators.read(
            folder,
            member.estimator,
            owners,
            self._trainer(member),
            n_classes=len(self.competition.classes),
        )

    def _networks(self, folder: Path, member: NetworkMember) -> trained.Networks:
        import torch

        is_there = self.described["device"] != "cuda" or torch.cuda.is_available()
        device = torch.device(self.described["device"] if is_there else "cpu")
        loss = train.loss_of(self.competition)
        return trained.load(folder, member.model.build, member.train, loss, device)

    def _trainer(self, member: EstimatorMember) -> Callable[[int, int], Any]:
        """Trains an estimator again, from the rows that the run encoded for it."""
        stage = self._stage(f"dataset-{member.encoder.__name__}")

        def train_one(fold: int, seed: int) -> Any:
            view = load_fold(stage, self.prepared, fold, member.inputs)
            return train.train_one(member, view, self.prepared.target, seed)

        return train_one

    def _stacker_inputs(self) -> dict[str, np.ndarray]:
        """What the stackers were told of the training rows."""
        names = (member.name for member in self.competition.members)
        oof = np.stack([train.load(self._stage(f"train-{name}")).oof for name in names])
        return ensemble.stackers_inputs(self.competition, self.prepared, oof)

    def _kin(self, table: pd.DataFrame, members: np.ndarray) -> np.ndarray | None:
        """What the rows say of each other, as the stackers had it: `(n_rows, d)`."""
        if self.competition.kin is None or not any(self.recipe.stacked()):
            return None
        weights = ensemble.load(self._stage("ensemble")).weights
        return self.competition.kin(table, blend(members, weights))

    def n_known(self, table: pd.DataFrame) -> int:
        """How many of the new rows stand in the training file, in a competition that asks that."""
        return int((self._told(self.competition.features(table)) >= 0).sum())

    def _told(self, table: pd.DataFrame) -> np.ndarray:
        """The class that a training row tells of each row, `(n_rows,)`; -1 where none does."""
        if self.competition.known is None:
            return np.full(len(table), -1)
        tables = (self.prepared.train, table)
        return train_test_overlap.classes_told(self.competition.known, tables, self.prepared.target)

    @property
    def _n_folds(self) -> int:
        return len(list(self.prepared.folds.splits()))

    def _stage(self, name: str) -> Path:
        return self.folder / "stages" / name


def _again(competition: Competition) -> str:
    return f"type foldwise run {competition.name} to make it anew"
