"""How networks are trained."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.training.augmentation import MOST_VIEWS, WarpSettings

Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["constant", "cosine", "one_cycle"]
Precision = Literal["float32", "float64", "bf16"]
Strategy = Literal["auto", "layers", "vmap", "sequential"]


class TrainSettings(BaseModel):
    """Settings of `fit`: the same for every replica."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=100, ge=1, description="passes over a fold's training rows")
    batch_size: int | None = Field(
        default=128, ge=1, description="rows per step; None takes all rows of the fold at once"
    )
    lr: float = Field(default=1e-3, gt=0, description="learning rate, the peak of the schedule")
    weight_decay: float = Field(default=0.0, ge=0, description="decoupled for adamw, L2 otherwise")
    optimizer: Optimizer = Field(default="adamw", description="as in torch.optim")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="of adam and adamw")
    schedule: Schedule = Field(default="constant", description="the learning rate over the steps")
    patience: int | None = Field(
        default=None,
        ge=1,
        description=(
            "stop a replica after this many evaluations without a better one and take its best "
            "weights; None trains all epochs and takes the last. Stopping on the held-out rows "
            "makes their scores optimistic, since those rows chose the epoch: "
            "FoldData.stop_rows is the honest way"
        ),
    )
    monitor: Literal["loss", "metric"] = Field(
        default="loss", description="what early stopping looks at, on the stop rows"
    )
    min_delta: float = Field(default=0.0, ge=0, description="smallest gain that counts as better")
    evaluate_every: int = Field(
        default=1, ge=1, description="epochs between evaluations; the last epoch always has one"
    )
    grad_clip: float | None = Field(
        default=None, gt=0, description="largest gradient norm of a replica"
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="spread over all classes")
    class_weights: tuple[float, ...] | None = Field(
        default=None, description="a weight for each class, in class order"
    )
    balance: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="rows weigh by their class's share to minus this power; 1: classes alike",
    )
    precision: Precision = Field(
        default="float32", description="bf16 is autocast on CUDA; elsewhere it is refused"
    )
    strategy: Strategy = Field(
        default="auto",
        description=(
            "how replicas are advanced: stacked layers, vmap, or one after the other; auto takes "
            "what measured fastest for the architecture and device. All give the same replicas"
        ),
    )
    max_stack: int | None = Field(
        default=None, ge=1, description="most replicas in one pass; None fits them to the memory"
    )
    eval_batch_size: int = Field(default=1024, ge=1, description="rows per pass in evaluation")

    augment: WarpSettings | None = Field(
        default=None, description="for pictures: how each batch is warped; None leaves it as it is"
    )
    n_views: int = Field(
        default=1,
        ge=1,
        le=MOST_VIEWS,
        description="for pictures: predictions are the mean over this many views of each",
    )
    length_pool: int | None = Field(
        default=None,
        ge=1,
        description=(
            "for texts: batches hold rows of like length, sorted within this many batches, and "
            "are cut to their longest row; replicas then run one after the other. None leaves the "
            "rows in random order at full width"
        ),
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.length_pool is not None and self.strategy not in ("auto", "sequential"):
            raise ValueError(
                "length_pool must have the strategy 'auto' or 'sequential', since the batches of "
                f"stacked replicas would be of unlike width; however: {self.strategy!r}"
            )
        if self.class_weights is not None and min(self.class_weights, default=0.0) <= 0:
            raise ValueError("class_weights must be positive, one for each class")
        return self

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and of floating-point inputs."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """bf16 products where that is asked for."""
        if self.precision != "bf16":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)
