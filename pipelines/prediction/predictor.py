"""A finished run that predicts new rows with its models, encoders and ensemble."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from models.ensembling.blending import blend
from models.ensembling.combiners import Combiner
from pipelines.configuration.assignments import ConfigurationError, as_stored
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.console import Advance, Steps
from pipelines.members.member import FittedModels, Member, members_of
from pipelines.prediction.answers import Answers
from pipelines.prediction.encoding import encode_rows, read_rows, splits_of_new_rows
from pipelines.prediction.new_rows import NewRows
from pipelines.stages import ensemble, preprocess, stage_code, train_test_overlap
from pipelines.stages.extra_tables import Features, features_of
from pipelines.stages.input_tables import test_columns
from pipelines.stages.run_contents import RunContents
from pipelines.stages.saved_models import load_models_of_new_rows
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import EnsembleFiles

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
        run: What its stages made.
        competition: With the settings that the run was made with.
        scratch: Where encoded rows are kept while they are predicted.
    """

    run: RunContents
    competition: Competition
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
        run = RunContents(RunLayout(folder))
        if not EnsembleFiles(run.layout.ensemble).recipe.is_file():
            raise PredictorError(
                f"run {folder.name} did not keep what predictions need; {_again(competition)}"
            )
        try:
            competition_then = as_stored(competition, run.described["configuration"])
        except ConfigurationError as error:
            reason = str(error).split(";")[0]
            raise PredictorError(
                f"run {folder.name} was made by other code ({reason}); {_again(competition)}"
            ) from error
        return cls(run, competition_then, scratch or folder)

    @cached_property
    def is_of_this_code(self) -> bool:
        """Whether code and libraries are those that made the run."""
        return bool(stage_code.of_run(self.competition) == self.run.described["code"])

    @property
    def prepared(self) -> preprocess.Prepared:
        """The run's own tables."""
        return self.run.prepared

    @cached_property
    def _encoders(self) -> dict[str, str]:
        """By member, the name of its encoder when the run was made."""
        now = {name: known.name for name, known in encoder_identities(self.competition).items()}
        return now | dict(self.run.described.get("encoders", {}))

    @cached_property
    def combiner(self) -> Combiner:
        """Combines the members' predictions as the run did."""
        settings = ensemble.EnsembleSettings.of(self.competition)
        source = ensemble.stacker_source(settings, self.prepared, self._members_oof)
        return ensemble.load_combiner(self.run.layout.ensemble, settings, source)

    def predict(self, table: pd.DataFrame, advance: Advance | None = None) -> np.ndarray:
        """Probabilities of new rows, `(n_rows, n_classes)`.

        Args:
            table: The competition's feature columns, typed.
            advance: Called with the number of finished steps and their total.
        """
        featured = self._features(table.reset_index(drop=True))
        members = self.competition.members
        by_member = np.zeros((len(members), len(table), self.competition.predicts.n_columns))
        used = self.combiner.members_used(len(members))
        by_encoder: dict[str, list[int]] = {}
        for place in np.flatnonzero(used):
            by_encoder.setdefault(self._encoders[members[place].name], []).append(int(place))
        steps = Steps(
            len(by_encoder) * len(splits_of_new_rows(self.prepared)) + int(used.sum()), advance
        )
        for places in by_encoder.values():
            self._predict_members(places, featured, by_member, steps)
        combined = self.combiner.predict(by_member, self._context(featured, by_member))
        return train_test_overlap.with_matching_classes(self._matching_classes(featured), combined)

    def answers(self, rows: NewRows, predictions: np.ndarray) -> Answers:
        """Predictions of new rows in the form of the run's submission.

        Args:
            rows: The new rows.
            predictions: `(n_rows, n_columns)`.
        """
        form, decision = self.prepared.form, self.run.blend.decision
        return Answers(self.competition, rows, predictions, form, decision)

    def change(self) -> str | None:
        """A warning where code has changed since the run; None where it has not.

        Some of the run's own test rows are predicted again and compared with its predictions.
        """
        if self.is_of_this_code:
            return None
        warning = f"code or libraries have changed since run {self.run.layout.run_id} was made"
        columns = [column.name for column in test_columns(self.competition)]
        if not set(columns) <= set(self.prepared.test):
            return f"{warning}; {_again(self.competition)}"
        some = self._some_test_rows()
        before = self.run.blend.test[some]
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
        if self.competition.second_level.context_features is not None and group is not None:
            place = pd.factorize(test[group])[0] * GROUP
        some: np.ndarray = place < PROBE
        return some

    def _predict_members(
        self,
        places: Sequence[int],
        table: pd.DataFrame,
        by_member: np.ndarray,
        steps: Steps,
    ) -> None:
        """Fill in the members of one encoder: `by_member (n_members, n_rows, n_classes)`."""
        first = self.competition.members[places[0]]
        with tempfile.TemporaryDirectory(prefix=".predict-", dir=self.scratch) as scratch:
            folds = encode_rows(
                table,
                first.encoder,
                self.prepared,
                stage=self.run.layout.dataset(self._encoders[first.name]),
                folder=Path(scratch),
                on_fold=steps.take,
            )
            for place in places:
                member = self._members[place]
                rows = [read_rows(fold, member.inputs) for fold in folds]
                by_member[place] = self._models(member).predict_mean(rows)
                steps.take()

    def _models(self, member: Member) -> FittedModels:
        return load_models_of_new_rows(
            self.competition,
            member,
            self.prepared,
            folder=self.run.layout.train(member.name),
            encoded=self.run.layout.dataset(self._encoders[member.name]),
            device=self.run.described["device"],
        )

    def _members_oof(self) -> np.ndarray:
        """The members' out-of-fold predictions, `(n_members, n_train, n_classes)`."""
        names = (member.name for member in self.competition.members)
        return np.stack([self.run.predictions_of(name).oof for name in names])

    def _context(self, table: pd.DataFrame, by_member: np.ndarray) -> np.ndarray | None:
        """The stackers' context features of new rows, `(n_rows, d)`."""
        features = self.competition.second_level.context_features
        if features is None or not any(self.combiner.stackers()):
            return None
        return features(table, blend(by_member, self.run.blend.weights))

    def n_known(self, table: pd.DataFrame) -> int:
        """How many of the new rows repeat a training row, in a competition with such rows."""
        return int((self._matching_classes(self._features(table)) >= 0).sum())

    def _matching_classes(self, table: pd.DataFrame) -> np.ndarray:
        """The class of the training row that each row repeats, `(n_rows,)`; -1 for new rows."""
        overlap = self.competition.train_test_overlap
        if overlap is None:
            return np.full(len(table), -1)
        key, target = self.prepared.train[overlap.key], self.prepared.target
        return train_test_overlap.matching_classes(key, target, table[overlap.key])

    @cached_property
    def _features(self) -> Features:
        return features_of(self.competition, self.prepared.extra.test)

    @cached_property
    def _members(self) -> tuple[Member, ...]:
        return members_of(self.competition)


def _again(competition: Competition) -> str:
    return f"type foldwise run {competition.name} to make a new run"
