"""Runs all trials and measurements of a comparison of the losses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from pipelines.compare_losses.cost import Cost, measure_cost
from pipelines.compare_losses.forms import FORMS, NAIVE, PRECISIONS
from pipelines.compare_losses.limits import Breakdown, Sweep, breakdown, sweep
from pipelines.compare_losses.trial import Trial, TrialPlan, try_forms
from pipelines.compare_losses.weighting import Agreement, Trap, agreements, traps
from pipelines.console import Narrator

SIZES = tuple(np.geomspace(1, 10_000, 81).tolist())
STRESS_STEPS = 60
COST_ROWS, COST_REPEATS = 16_384, 60


class Setting(BaseModel):
    """The network, the data and the training settings of a comparison."""

    model_config = ConfigDict(frozen=True)

    run: str
    competition: str
    title: str
    source: str
    origin: str
    synthetic: bool
    member: str
    network: str
    n_weights: int
    n_classes: int
    n_train: int
    n_valid: int
    batch_size: int
    n_steps: int
    optimizer: str
    lr: float
    label_smoothing: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """The measurements, by precision where it matters.

    Attributes:
        trials: The replicas trained side by side.
        stress: The same in float32 with logits times `stress_scale`.
        stress_scale: The factor.
        sweeps: Errors over the size of the logits.
        breakdowns: By precision, then by form.
        costs: Time and memory.
        agreements: Smoothing and class weights in torch's loss and by hand.
        traps: Means that look like torch's and differ.
    """

    trials: dict[str, Trial]
    stress: Trial
    stress_scale: float
    sweeps: dict[str, Sweep]
    breakdowns: dict[str, dict[str, Breakdown]]
    costs: dict[str, Cost]
    agreements: list[Agreement]
    traps: list[Trap]

    def steps(self) -> dict[str, np.ndarray]:
        """Every step's numbers, as named arrays."""
        trials = {**self.trials, "stress": self.stress}
        names = ("loss", "gradient_gap", "rounding_gap", "largest_gap")
        return {f"{key}.{n}": np.asarray(getattr(t, n)) for key, t in trials.items() for n in names}

    def numbers(self) -> dict[str, Any]:
        """As JSON values; the same on every run on one machine, except `cost`."""
        numbers = {
            "scores": {p: _by_form_of(t.scores) for p, t in self.trials.items()},
            "stress_scale": self.stress_scale,
            "breakdowns": {
                precision: {form: dataclasses.asdict(b) for form, b in by_form.items()}
                for precision, by_form in self.breakdowns.items()
            },
            "agreements": [dataclasses.asdict(agreement) for agreement in self.agreements],
            "traps": [dataclasses.asdict(trap) for trap in self.traps],
            "cost": {precision: _cost(cost) for precision, cost in self.costs.items()},
        }
        return {key: _in_json(value) for key, value in numbers.items()}


def measure(plan: TrialPlan, narrator: Narrator, *, n_classes: int) -> Measured:
    """Run all trials and measurements; call it within `narrator.stages`.

    All on one thread: sums are then in the same order on every machine, and timings do not depend
    on whether other cores are busy.
    """
    with _one_thread():
        return _measure(plan, narrator, n_classes)


@contextmanager
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _measure(plan: TrialPlan, narrator: Narrator, n_classes: int) -> Measured:
    trials = {p: _trial(plan, p, narrator, title=f"trial · {p}") for p in PRECISIONS}
    with narrator.stage("limits") as line:
        sweeps = {p: sweep(dtype, SIZES, n_classes=n_classes) for p, dtype in PRECISIONS.items()}
        breakdowns = {
            p: {form.name: breakdown(form, dtype, n_classes=n_classes) for form in FORMS}
            for p, dtype in PRECISIONS.items()
        }
        line.end(status="", seconds=None)
    scale = _stress_scale(trials["float32"], breakdowns["float32"][NAIVE.name])
    short = dataclasses.replace(plan, n_steps=min(plan.n_steps, STRESS_STEPS))
    stress = _trial(short, "float32", narrator, title="trial · large logits", scale=scale)
    logits = torch.from_numpy(trials["float64"].valid_logits[0])
    target = torch.from_numpy(plan.target[plan.fold.valid_rows])
    weights = _rarity(plan.target[plan.fold.train_rows], n_classes)
    return Measured(
        trials=trials,
        stress=stress,
        stress_scale=scale,
        sweeps=sweeps,
        breakdowns=breakdowns,
        costs=_costs(narrator, n_classes),
        agreements=agreements(logits, target, weights),
        traps=traps(logits, target, weights),
    )


def _trial(
    plan: TrialPlan, precision: str, narrator: Narrator, *, title: str, scale: float = 1.0
) -> Trial:
    with narrator.stage(title) as line:
        report: Callable[[int], None] = lambda step: line.advance(step, plan.n_steps)  # noqa: E731
        trial = try_forms(plan, precision, logit_scale=scale, on_step=report)
        line.end(status="", seconds=None)
    return trial


def _stress_scale(trial: Trial, limit: Breakdown) -> float:
    """The factor that puts some row of the first batch at twice the naive gradient's limit.

    If all first logits are equal, as from a head of zeros, a row of a later batch.
    """
    gap = trial.largest_gap[0] if trial.largest_gap[0] > 0 else trial.largest_gap.max()
    return float(2 * limit.gradient / gap)


def _rarity(target: np.ndarray, n_classes: int) -> torch.Tensor:
    """Class weights: 1 for the most frequent class, 2 for one half as frequent."""
    counts = np.maximum(np.bincount(target, minlength=n_classes), 1)
    return torch.from_numpy(counts.max() / counts)


def _costs(narrator: Narrator, n_classes: int) -> dict[str, Cost]:
    with narrator.stage("time and memory") as line:
        costs = {
            precision: measure_cost(
                dtype, n_rows=COST_ROWS, n_classes=n_classes, n_repeats=COST_REPEATS
            )
            for precision, dtype in PRECISIONS.items()
        }
        line.end(status="", seconds=None)
    return costs


def _by_form_of(scores: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    return {
        name: {form.name: float(value) for form, value in zip(FORMS, values, strict=True)}
        for name, values in scores.items()
    }


def _in_json(value: Any) -> Any:
    """JSON has neither inf nor NaN: they become strings, which `float` reads."""
    if isinstance(value, dict):
        return {key: _in_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_in_json(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cost(cost: Cost) -> dict[str, dict[str, float]]:
    return {
        form.name: {
            "forward_us": float(np.median(cost.forward_s[row])) * 1e6,
            "backward_us": float(np.median(cost.backward_s[row])) * 1e6,
            "held_bytes_per_row": int(cost.held_bytes[row]) / cost.n_rows,
        }
        for row, form in enumerate(FORMS)
    }
