"""Networks as members: all splits and seeds are trained at once, as one stack of replicas.

The settings need no torch, so that a competition's file is read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, SerializeAsAny

from models.architectures.base import Architecture
from models.executor import LOCAL, Executor
from models.target import VALUES_LOSS
from models.training.settings import TrainSettings
from pipelines.members.data import FoldedDataset
from pipelines.members.member import LoadContext, Member
from pipelines.members.predictions import Predictions, Problem
from pipelines.members.trials import ReportScore, TrialData

if TYPE_CHECKING:
    from torch import nn

    from models.checkpoints import Checkpoints
    from pipelines.configuration.competition import Competition
    from pipelines.console import Advance
    from pipelines.members.network_training import SavedNetworks

DROPOUT = "model.dropout"
REPLICA_KEYS = ("train.lr", "train.weight_decay", DROPOUT)  # may differ from replica to replica
PROBE_STEPS = 2  # of an epoch, at least
STEP_S = 1e-3  # of a training, however few its rows, roughly
MOST_COLUMNS = 300  # wider tables are pictures; networks take minutes for ten thousand of them


class NetworkMember(Member):
    """A network: one architecture, one recipe, `n_seeds` replicas in each fold.

    Attributes:
        vectors: A file of word vectors that the embedding starts from.
    """

    splits_advance_together: ClassVar[bool] = True
    learns_scaled: ClassVar[bool] = True
    keeps_training: ClassVar[bool] = True
    length_key: ClassVar[str | None] = "train.epochs"
    probe_lengths: ClassVar[tuple[int, int]] = (1, 3)
    takes_executor: ClassVar[bool] = True

    model: SerializeAsAny[Architecture]
    train: TrainSettings = TrainSettings()
    vectors: str | None = None
    loss: str | None = Field(
        None,
        pattern=VALUES_LOSS,
        description="loss of values: mse, mae, huber, poisson, tweedie, quantile@0.9",
    )
    n_seeds: int = Field(1, ge=1, description="replicas per fold")

    def fit(
        self,
        problem: Problem,
        dataset: FoldedDataset,
        *,
        device: str = "auto",
        progress: Advance | None = None,
        checkpoints: Checkpoints | None = None,
        executor: Executor = LOCAL,
    ) -> Predictions:
        """Train every split and every seed at once, in blocks."""
        from pipelines.members import network_training

        return network_training.fit(
            self,
            problem,
            dataset,
            device=device,
            progress=progress,
            checkpoints=checkpoints,
            executor=executor,
        )

    def builder(self, problem: Problem, dataset: FoldedDataset) -> Callable[[], nn.Module]:
        """What builds the network for the dataset's inputs and the problem's classes."""
        from pipelines.members import network_training

        return network_training.builder(self, problem, dataset)

    def load(self, folder: Path, context: LoadContext) -> SavedNetworks:
        """The replicas whose files are in the folder, on the device of the context or the CPU."""
        from pipelines.members import network_training

        return network_training.load(self, folder, context)

    def trial(
        self, variants: Sequence[Self], data: TrialData, report: ReportScore
    ) -> list[float | None]:
        """Train variants that differ only in numbers of a replica in one stack."""
        from pipelines.members import network_training

        return network_training.run_trials(variants, data, report)

    @property
    def length(self) -> int:
        """Epochs."""
        return self.train.epochs

    def of_length(self, length: int) -> Self:
        """The member trained for so many epochs, at whose end its schedule ends."""
        return self.model_copy(update={"train": self.train.model_copy(update={"epochs": length})})

    @property
    def n_side_by_side(self) -> int:
        """A thread each where replicas are trained one by one; a stack is one piece of work."""
        if self.is_stack:
            return 1
        import torch

        return torch.get_num_threads()

    @property
    def is_stack(self) -> bool:
        """Unless its replicas are trained one by one."""
        return self.train.strategy != "sequential" and self.train.length_pool is None

    @property
    def probe_rows(self) -> int:
        """Those of a few steps."""
        return PROBE_STEPS * (self.train.batch_size or 1)

    def rough_seconds(self, n_rows: int) -> float:
        """Of its rows by the architecture, and of its steps."""
        n_steps = -(-n_rows // (self.train.batch_size or n_rows))
        return self.length * (STEP_S * n_steps + self.model.rough_row_s * n_rows)

    def last_step(self, n_splits: int) -> int:  # noqa: ARG002
        """100 per cent of the training."""
        return 100

    def replica_keys(self, problem: Problem, dataset: FoldedDataset) -> tuple[str, ...]:
        """The searched keys that replicas of one stack may have unlike values of."""
        from pipelines.members.network_training import has_own_rates

        found = [key for key in self.search if key in REPLICA_KEYS]
        if DROPOUT in found and not has_own_rates(self, problem, dataset):
            found.remove(DROPOUT)
        return tuple(found)

    def file_digests(self) -> dict[str, str]:
        """The sha256 of the file of word vectors, if there is one.

        Raises:
            VectorsError: The file cannot be read.
        """
        if not self.vectors:
            return {}
        from pipelines.members.pretrained import file_digest

        return {f"vectors of {self.name}": file_digest(self.vectors)}

    def predicts_fast(self, n_columns: int) -> bool:
        """Networks do, unless the table is as wide as pictures are."""
        return n_columns <= MOST_COLUMNS


def networks_of(competition: Competition) -> list[NetworkMember]:
    """The members of a competition that are networks."""
    return [member for member in competition.members if isinstance(member, NetworkMember)]
