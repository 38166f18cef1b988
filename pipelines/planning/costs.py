"""What the parts of a run cost on this machine, in seconds; numbers alone, without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict


class EncoderCost(BaseModel):
    """What encoding costs.

    Attributes:
        split_s: Seconds for one split, with writing its arrays.
        is_once: Whether one encoding serves all splits.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    split_s: float
    is_once: bool = False

    def seconds(self, n_splits: int) -> float:
        """For that many splits."""
        return self.split_s * (1 if self.is_once else n_splits)


class MemberCost(BaseModel):
    """What training a member costs.

    Attributes:
        replica_s: Seconds of one replica beside its training: evaluating and predicting.
        round_s: Seconds of one epoch of one replica over all training rows, or of one round of one
            booster; of a model without rounds, its whole fit.
        shared_round_s: Seconds of one epoch of a stack, however many replicas it has.
        n_side_by_side: Replicas that are trained at the same time in threads of their own.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    replica_s: float
    round_s: float
    shared_round_s: float = 0.0
    n_side_by_side: int = 1

    def seconds(self, *, n_splits: int, n_seeds: int, length: int, rows: float = 1.0) -> float:
        """For all replicas.

        Args:
            n_splits: Splits that each seed is trained on.
            n_seeds: Replicas of each split.
            length: Epochs or rounds.
            rows: The share of the training rows that a split trains on.
        """
        n_turns = -(-n_splits * n_seeds // self.n_side_by_side) * self.n_side_by_side
        shared = self.shared_round_s * length * rows
        return shared + n_turns * (self.replica_s + self.round_s * length * rows)


@dataclass(frozen=True)
class Costs:
    """What every part of a run costs.

    Attributes:
        preprocess_s: Stage 2.
        encoders: Stage 3 by encoder.
        members: Stage 4 by member.
        ensemble_s: Stage 5, for each member and split.
        publish_s: Stage 6, and what is written after it.
    """

    preprocess_s: float
    encoders: Mapping[str, EncoderCost] = field(default_factory=dict)
    members: Mapping[str, MemberCost] = field(default_factory=dict)
    ensemble_s: float = 0.0
    publish_s: float = 0.0
