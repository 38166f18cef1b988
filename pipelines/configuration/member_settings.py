"""What a competition knows of its members, whatever their kind: a name, an encoder, its arrays.

The kinds themselves are in `pipelines.members`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from pipelines.configuration.search_space import Search

Encoded = dict[str, np.ndarray]


class Encoder(Protocol):
    """A scikit-learn style estimator from a table to the inputs of a network.

    `fit_transform` is for the rows it was fitted on (target statistics leave the row itself out);
    `transform` is for every other row.
    """

    def fit(self, table: pd.DataFrame, target: np.ndarray) -> Encoder: ...  # noqa: D102
    def transform(self, table: pd.DataFrame) -> Encoded: ...  # noqa: D102
    def fit_transform(self, table: pd.DataFrame, target: np.ndarray) -> Encoded: ...  # noqa: D102


class MemberSettings(BaseModel):
    """What all members have: a name, an encoder, and which of its arrays they read.

    Attributes:
        name: Unique among the competition's members.
        encoder: Makes an unfitted encoder.
        inputs: By keyword of the network's `forward` (`x_num` for other models), the encoder's
            arrays that it reads side by side; empty for the encoder's arrays as they are.
        search: By dotted key (`train.lr`), the values that a study may try.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str
    encoder: Callable[[], Encoder] = Field(exclude=True)
    inputs: dict[str, tuple[str, ...]] = {}
    search: Search = Field({}, exclude=True)
