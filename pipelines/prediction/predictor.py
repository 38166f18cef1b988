"""A finished run that predicts new rows with its models, encoders and ensemble."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.ensembling.blending import blend
from models.ensembling.combiners import Recipe
from pipelines.configuration.assignments import ConfigurationError, as_stored
from pipelines.configuration.competition import Competition
from pipelines.configuration.member_settings import Encoder
from pipelines.console import Advance, Steps
from pipelines.members.member import FittedModels, Member, members_of
from pipelines.prediction.encoding import encode_rows, read_rows
from pipelines.stages import ensemble, preprocess, train, train_test_overlap
from pipelines.stages.pipeline import CODE
from pipelines.workspace.provenance import code_digest
from pipelines.workspace.run_folders import FILE as RUN_FILE

PROBE = 64  # test rows of the run that are predicted again where the code has changed
GROUP = 8  # rows that a group counts for
TOLERANCE = 1e-6  # of a probability: float32 rounds differently in a batch of another size


class PredictorError(ValueError):
    """A run that cannot predict new rows."""

    exit_code = 2


@dataclass(frozen=True)
class Predictor:
    """A finished run.

    Attributes:
        folder: The run's folder.
        competition: With the settings that the run was made with.
        described: The content of `run.json`.
        scratch: Where encoded rows are kept while they are predicted.
    """

    folder: Path
    competition: Competition
    described: Mapping[str, Any]
    scratch: Path

    @classmethod
    def open(cls, folder: Path, competition: Competition, scratch: Path | None = None) -> Predictor:
        """The run of that folder.

        Args:
            folder: The folder of a finished run.
            competition: As its file has it today.
            scratch: A folder for the encoded rows; the run's own if None.

        Raises:
            PredictorError: The run lacks files that predictions need, or its members are not those
                of today's code.
        """
        described = json.loads((folder / RUN_FILE).read_text())
        if not (folder / "stages" / "ensemble" / ensemble.RECIPE).is_file():
            raise PredictorError(
                f"run {folder.name} did not keep what predictions need; {_again(competition)}"
            )
        try:
            competition_then = as_stored(competition, described["configuration"])
        except ConfigurationError as error:
            reason = str(error).split(";")[0]
            raise PredictorError(
                f"run {folder.name} was made by other code ({reason}); {_again(competition)}"
            ) from error
        return cls(folder, competition_then, described, scratch or folder)

    @cached_property
    def is_of_this_code(self) -> bool:
        """Whether code and libraries are those that made the run."""
        digest: str = code_digest((*CODE, self.competition.features.__module__))
        return bool(digest == self.described["code"])

    @cached_property
    def prepared(self) -> preprocess.Prepared:
        """The run's own tables."""
        return preprocess.load(self._stage("preprocess"))

    @cached_property
    def recipe(self) -> Recipe:
        """How the run combines its members' predictions."""
        return ensemble.load_recipe(
            self._stage("ensemble"), self.competition, self.prepared, self._stacker_inputs
        )

    def predict(self, table: pd.DataFrame, advance: Advance | None = None) -> np.ndarray:
        """Probabilities of new rows, `(n_rows, n_classes)`.

        Args:
            table: The competition's feature columns, typed.
            advance: Called with the number of finished steps and their total.
        """
        featured = self.competition.features(table.reset_index(drop=True))
        members = self.competition.members
        by_member = np.zeros((len(members), len(table), len(self.competition.classes)))
        used = self.recipe.members_used(len(members))
        by_encoder: dict[Callable[[], Encoder], list[int]] = {}
        for place in np.flatnonzero(used):
            by_encoder.setdefault(members[place].encoder, []).append(int(place))
        steps = Steps(len(by_encoder) * self.prepared.folds.n_splits + int(used.sum()), advance)
        for encoder, places in by_encoder.items():
            self._predict_members(encoder, places, featured, by_member, steps)
        combined = self.recipe.predict(by_member, self._kin(featured, by_member))
        return train_test_overlap.with_told(self._told(featured), combined)

    def change(self) -> str | None:
        """A warning where code has changed since the run; None where it has not.

        Some of the run's own test rows are predicted again and compared with its predictions.
        """
        if self.is_of_this_code:
            return None
        warning = f"code or libraries have changed since run {self.folder.name} was made"
        columns = [column.name for column in self.competition.columns]
        if not set(columns) <= set(self.prepared.test):
            return f"{warning}; {_again(self.competition)}"
        some = self._some_test_rows()
        before = ensemble.load(self._stage("ensemble")).test[some]
        again = self.predict(self.prepared.test.loc[some, columns])
        largest = float(np.abs(again - before).max())
        if largest <= TOLERANCE:
            return f"{warning}: predictions of {len(again)} of its test rows still match"
        return (
            f"{warning}: predictions of its test rows now differ, by up to {largest:.2g}; "
            f"{_again(self.competition)}"
        )

    def _some_test_rows(self) -> np.ndarray:
        """Some test rows, `(n_test,) bool`; whole groups where rows depend on each other."""
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
        by_member: np.ndarray,
        steps: Steps,
    ) -> None:
        """Fill in the members of one encoder: `by_member (n_members, n_rows, n_classes)`."""
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
                member = self._members[place]
                rows = [read_rows(fold, member.inputs) for fold in folds]
                by_member[place] = self._models(member).predict_mean(rows)
                steps.take()

    def _models(self, member: Member) -> FittedModels:
        return train.load_models(
            self.competition,
            member,
            self.prepared,
            folder=self._stage(f"train-{member.name}"),
            encoded=self._stage(f"dataset-{member.encoder.__name__}"),
            device=self.described["device"],
        )

    def _stacker_inputs(self) -> dict[str, np.ndarray]:
        """The stackers' inputs for the training rows."""
        names = (member.name for member in self.competition.members)
        oof = np.stack([train.load(self._stage(f"train-{name}")).oof for name in names])
        return ensemble.stackers_inputs(self.competition, self.prepared, oof)

    def _kin(self, table: pd.DataFrame, by_member: np.ndarray) -> np.ndarray | None:
        """What the rows of the table add to the stackers' inputs: `(n_rows, d)`."""
        if self.competition.kin is None or not any(self.recipe.stacked()):
            return None
        weights = ensemble.load(self._stage("ensemble")).weights
        return self.competition.kin(table, blend(by_member, weights))

    def n_known(self, table: pd.DataFrame) -> int:
        """How many of the new rows are in the training file, in a competition with `known` rows."""
        return int((self._told(self.competition.features(table)) >= 0).sum())

    def _told(self, table: pd.DataFrame) -> np.ndarray:
        """The class of each row that a training row gives away, `(n_rows,)`; -1 where none does."""
        if self.competition.known is None:
            return np.full(len(table), -1)
        tables = (self.prepared.train, table)
        return train_test_overlap.classes_told(self.competition.known, tables, self.prepared.target)

    @cached_property
    def _members(self) -> tuple[Member, ...]:
        return members_of(self.competition)

    def _stage(self, name: str) -> Path:
        return self.folder / "stages" / name


def _again(competition: Competition) -> str:
    return f"type foldwise run {competition.name} to make a new run"
