"""The protocol of a kind of member: it trains, saves and loads its models, and is tuned.

A kind is one file beside this one, with a class that derives from `Member`.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from models.executor import LOCAL, Executor
from models.fold_data import FoldData
from models.target import Target, fit_scales
from models.target_scale import Transform
from pipelines.configuration.member_settings import Encoded, MemberSettings
from pipelines.members.data import FoldedDataset, FoldView
from pipelines.members.predictions import Predictions, Problem
from pipelines.members.trials import ReportScore, TrialData

if TYPE_CHECKING:
    from models.checkpoints import Checkpoints
    from pipelines.configuration.competition import Competition
    from pipelines.console import Advance

PredictRows = Callable[[Encoded], np.ndarray]


class MemberKindError(TypeError):
    """A competition's member that is of no kind."""

    exit_code = 2


class FittedModels(Protocol):
    """A member's trained models, one or more for each split."""

    def predict_mean(self, inputs_per_split: list[Encoded], /) -> np.ndarray:
        """The mean over all models, for new rows.

        Args:
            inputs_per_split: The same rows as each split's encoder sees them.

        Returns:
            `(n_rows, n_classes)`.
        """
        ...

    def of_split(self, split: int, /) -> PredictRows:
        """The mean over the models of one split: encoded rows to `(n_rows, n_classes)`."""
        ...


@dataclass(frozen=True)
class LoadContext:
    """What loading a member's models may need beside their files.

    Attributes:
        problem: What the models predict.
        n_splits: Number of splits that they were trained on.
        device: `cpu` or `cuda`, where the models were trained; another is used where it is absent.
        target: In the task's form.
        view_of: The encoded rows of a split, for kinds that train again what was not saved.
    """

    problem: Problem
    n_splits: int
    device: str
    target: np.ndarray
    view_of: Callable[[int], FoldView]
    weight: np.ndarray | None = None


class Member(MemberSettings, ABC):
    """A kind of model in the ensemble, with its settings.

    Attributes:
        target_transform: The scale on which values are learned; None: that of the metric.
        learns_scaled: Whether values are learned with mean 0 and deviation 1.
        keeps_training: Whether `fit` takes `checkpoints`, so that a killed training goes on.
        takes_executor: Whether `fit` takes an `executor`; other kinds are trained here.
        splits_advance_together: Whether all splits of a trial are trained at once, so that its
            score after a step is cross-validated; otherwise they are trained one after the other.
        length_key: The setting that says how long the training is; None where nothing does.
        probe_lengths: Two short lengths, whose seconds show what one epoch or round costs.
    """

    splits_advance_together: ClassVar[bool] = False
    learns_scaled: ClassVar[bool] = False
    keeps_training: ClassVar[bool] = False
    length_key: ClassVar[str | None] = None
    probe_lengths: ClassVar[tuple[int, int]] = (1, 1)
    takes_executor: ClassVar[bool] = False

    target_transform: Transform | None = None

    def target_of(
        self, problem: Problem, dataset: FoldedDataset, folds: Sequence[FoldData]
    ) -> Target:
        """What the member's models learn.

        Args:
            problem: What is predicted.
            dataset: The rows.
            folds: Their splits, for the scales of values.

        Raises:
            TransformError: The transform does not suit the values.
        """
        target = Target(dataset.target, problem.task, dataset.weight)
        if problem.task.predicts_probabilities:
            return target
        transform = self.target_transform or problem.transform
        is_scaled = self.learns_scaled
        scales = fit_scales(dataset.target, folds, transform, standardise=is_scaled)
        return replace(target, scales=scales)

    @property
    def trial_threads(self) -> int:
        """Threads that a trial keeps busy on a cluster: one, where the settings name no number."""
        return 1

    @abstractmethod
    def fit(
        self,
        problem: Problem,
        dataset: FoldedDataset,
        *,
        device: str = "auto",
        progress: Advance | None = None,
    ) -> Predictions:
        """Train every split and every seed.

        Args:
            problem: What is predicted, and how it is scored.
            dataset: The encoded rows of every split.
            device: `auto`, `cpu` or `cuda`; kinds without a GPU implementation ignore it.
            progress: Called with the number of finished steps and their total.

        A kind that `keeps_training` has a further keyword, `checkpoints`: where the training is
        kept, and goes on from to the same bytes. One that `takes_executor` has `executor`: where
        its models are trained.

        Raises:
            TrainingError: A split ended without a usable model.
        """

    def fit_kept(
        self,
        problem: Problem,
        dataset: FoldedDataset,
        checkpoints: Checkpoints | None,
        *,
        device: str = "auto",
        progress: Advance | None = None,
        executor: Executor = LOCAL,
    ) -> Predictions:
        """The same as `fit`, with checkpoints and executor where the kind takes them."""
        further: dict[str, Any] = {"checkpoints": checkpoints} if self.keeps_training else {}
        if self.takes_executor:
            further["executor"] = executor
        return self.fit(problem, dataset, device=device, progress=progress, **further)

    def save(self, predictions: Predictions, folder: Path) -> None:
        """Write the models that `fit` returned into an empty folder; nothing is pickled."""
        for name, content in predictions.models.items():
            (folder / name).write_bytes(content)

    @abstractmethod
    def load(self, folder: Path, context: LoadContext) -> FittedModels:
        """The models that `save` wrote."""

    @abstractmethod
    def trial(
        self, variants: Sequence[Self], data: TrialData, report: ReportScore
    ) -> list[float | None]:
        """Score variants of this member, each a trial of a study.

        Args:
            variants: The member with the values of each trial.
            data: What the trials are trained on.
            report: Receives scores as they become known; may stop a trial.

        Returns:
            For each trial the mean over splits; None where it was stopped or diverged.
        """

    @property
    def length(self) -> int:
        """How long the training is, in epochs or rounds; 1 for a kind without a `length_key`."""
        return 1

    def of_length(self, length: int) -> Self:  # noqa: ARG002
        """The member with a training that is planned to end after so many epochs or rounds."""
        return self

    @property
    def n_side_by_side(self) -> int:
        """How many of its models are trained at the same time, in threads of their own."""
        return 1

    @property
    def is_stack(self) -> bool:
        """Whether all its models are trained in the same steps, so that they share some cost."""
        return False

    @property
    def probe_rows(self) -> int:
        """Training rows on which the pace of its training can be seen."""
        return 1

    def rough_seconds(self, n_rows: int) -> float:
        """Seconds that one model takes to learn so many rows, within a factor of ten.

        They tell cheap members from dear ones before anything is measured.
        """
        return 1e-3 * n_rows * self.length

    def last_step(self, n_splits: int) -> int:
        """The step that a trial reports last."""
        return n_splits - 1

    def replica_keys(self, problem: Problem, dataset: FoldedDataset) -> tuple[str, ...]:  # noqa: ARG002
        """The searched keys in which trials may differ that are trained together."""
        return ()

    def file_digests(self) -> dict[str, str]:
        """By what they are, the sha256 of files beyond the competition's that training reads."""
        return {}

    def trains_again(self, folder: Path) -> bool:  # noqa: ARG002
        """Whether `load` must train models again because the folder does not hold them."""
        return False

    def predicts_fast(self, n_columns: int) -> bool:  # noqa: ARG002
        """Whether its saved models predict some ten thousand rows of a table within seconds."""
        return False


def members_of(competition: Competition) -> tuple[Member, ...]:
    """The competition's members, each of a kind.

    Raises:
        MemberKindError: One of them is settings alone.
    """
    return tuple(_checked(member, competition.name) for member in competition.members)


def _checked(member: MemberSettings, competition: str) -> Member:
    if isinstance(member, Member):
        return member
    raise MemberKindError(
        f"{competition}: member {member.name} is a {type(member).__name__}, expected a kind of "
        "member; use NetworkMember, TreesMember or EstimatorMember in the competition's file"
    )


def file_digests(members: Sequence[Member]) -> dict[str, str]:
    """All members' `file_digests` in one."""
    return {what: digest for member in members for what, digest in member.file_digests().items()}


def count_models(n_models: int, progress: Advance | None) -> Callable[[object], None] | None:
    """A callback that counts trained models for `progress`."""
    if progress is None:
        return None
    done = itertools.count(1)
    return lambda _: progress(next(done), n_models)
