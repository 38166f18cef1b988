"""How networks are trained; without torch, so that reading a competition stays fast."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["constant", "cosine", "one_cycle"]
Precision = Literal["float32", "float64", "bf16"]
Strategy = Literal["auto", "layers", "vmap", "sequential"]

# The fixed views that predictions are averaged over: pixels to the right, pixels down, degrees.
# The first is the picture unchanged.
VIEWS = (
    (0.0, 0.0, 0.0),
    (1.0, 0.0, 0.0),
    (-1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0),
    (0.0, -1.0, 0.0),
    (0.0, 0.0, 6.0),
    (0.0, 0.0, -6.0),
    (0.7, 0.7, 0.0),
    (-0.7, -0.7, 0.0),
)
MOST_VIEWS = len(VIEWS)


class WarpSettings(BaseModel):
    """How far a picture is moved, rotated and bent; each picture draws its own amounts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: float = Field(default=2.0, ge=0, description="largest move in x and in y, in pixels")
    rotate: float = Field(default=12.0, ge=0, description="largest rotation, in degrees")
    zoom: float = Field(default=0.1, ge=0, lt=1, description="largest relative change of size")
    shear: float = Field(default=0.1, ge=0, lt=1, description="largest shear, as a tangent")
    elastic: float = Field(default=1.0, ge=0, description="spread of the distortion, in pixels")
    knots: int = Field(
        default=5, ge=2, description="points per axis at which the distortion is drawn"
    )


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
            "stop a replica after this many evaluations without improvement and take its best "
            "weights; None trains all epochs and takes the last. Stopping on the held-out rows "
            "makes their scores optimistic, since those rows chose the epoch; set "
            "FoldData.stop_rows to avoid that"
        ),
    )
    monitor: Literal["loss", "metric"] = Field(
        default="loss", description="what early stopping monitors, on the stop rows"
    )
    min_delta: float = Field(
        default=0.0, ge=0, description="smallest change that counts as an improvement"
    )
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
        description="rows weigh (share of their class) ** -balance; 1: all classes equal",
    )
    precision: Precision = Field(
        default="float32", description="bf16 means autocast and needs CUDA"
    )
    strategy: Strategy = Field(
        default="auto",
        description=(
            "how replicas are trained: stacked layers, vmap, or one after the other; auto takes "
            "the one measured fastest for architecture and device. All give the same replicas"
        ),
    )
    max_stack: int | None = Field(
        default=None, ge=1, description="most replicas in one pass; None as many as memory allows"
    )
    eval_batch_size: int = Field(default=1024, ge=1, description="rows per pass in evaluation")

    augment: WarpSettings | None = Field(
        default=None, description="for pictures: random warps of each training batch; None for none"
    )
    n_views: int = Field(
        default=1,
        ge=1,
        le=MOST_VIEWS,
        description="for pictures: predictions are averaged over this many views",
    )
    length_pool: int | None = Field(
        default=None,
        ge=1,
        description=(
            "for texts: batches hold rows of similar length, sorted within this many batches, and "
            "are cut to their longest row; replicas then run one after the other. None keeps the "
            "rows in random order at full width"
        ),
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.length_pool is not None and self.strategy not in ("auto", "sequential"):
            raise ValueError(
                "length_pool must be used with strategy 'auto' or 'sequential', since the batches "
                f"of stacked replicas would differ in width; got {self.strategy!r}"
            )
        if self.class_weights is not None and min(self.class_weights, default=0.0) <= 0:
            raise ValueError("class_weights must be positive, one for each class")
        return self
