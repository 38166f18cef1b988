"""A training between two epochs as a snapshot, and back, so that it goes on to the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import Layout, Snapshot
from models.training.progress import CURVES

if TYPE_CHECKING:
    from models.training.loop import Training

NAME = "network"
_STACKS = ("now", "best")


def layout_of(training: Training) -> Layout:
    """What decides the bytes of a training beside its data and settings."""
    context, device = training.context, training.context.device
    is_cuda = device.type == "cuda"
    return {
        "strategy": context.strategy,
        "replicas in a pass": training.chunk_size,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if is_cuda else device.type,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "CUDA": torch.version.cuda if is_cuda else None,
        "replicas": [[spec.fold, spec.seed, spec.n_rows, spec.n_steps] for spec in training.specs],
        "weights": {name: list(w.shape[1:]) for name, w in training.stack.tensors().items()},
    }


def snapshot_of(training: Training) -> Snapshot:
    """The training as it is now; on a CPU its arrays are views of the training's own."""
    state = training.state(copied=False)
    tensors = _flat(state)
    progress = state["progress"]
    return Snapshot(
        {
            "epoch": state["epoch"],
            "active": state["active"],
            "steps": state["steps"],
            "faults": progress["faults"],
            "strides": {name: list(tensor.stride()) for name, tensor in tensors.items()},
        },
        {
            **{name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()},
            **_curve_arrays(progress["curves"]),
            "best score": np.array(progress["best_score"], np.float64),
            **{f"stopping {name}": np.array(v) for name, v in progress["stopping"].items()},
        },
    )


def restore(training: Training, snapshot: Snapshot) -> None:
    """Go on from a snapshot of a training of the same data, settings and layout."""
    described, arrays = snapshot.described, snapshot.arrays
    tensors = {
        name: _with_strides(arrays[name], strides, training.context.device)
        for name, strides in described["strides"].items()
    }
    n_moments = max((len(kinds) for kinds in training.stack.moments.values()), default=0)
    training.load_state(
        {
            **{name: described[name] for name in ("epoch", "active", "steps")},
            **{stack: _named(tensors, f"{stack}.") for stack in _STACKS},
            "moments": {
                name: [tensors[f"moment-{kind}.{name}"] for kind in range(n_moments)]
                for name in training.stack.moments
            },
            "progress": {
                "curves": _curves(arrays),
                "faults": described["faults"],
                "best_score": arrays["best score"].tolist(),
                "stopping": {n: a.tolist() for n, a in _named(arrays, "stopping ").items()},
            },
        }
    )


def n_bytes(training: Training) -> int:
    """About the size of a snapshot: weights twice, for the best ones too, and moments."""
    weights = list(training.stack.tensors().values())
    moments = [moment for kinds in training.stack.moments.values() for moment in kinds]
    return sum(tensor.nbytes for tensor in (*weights, *weights, *moments))


def _flat(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights and moments by names that tell where they belong."""
    stacks = {f"{key}.{name}": t for key in _STACKS for name, t in state[key].items()}
    moments = {
        f"moment-{kind}.{name}": moment
        for name, kinds in state["moments"].items()
        for kind, moment in enumerate(kinds)
    }
    return stacks | moments


def _with_strides(array: np.ndarray, strides: list[int], device: torch.device) -> Tensor:
    """As the tensor lay in memory: kernels for channels-last filters round differently."""
    values = torch.from_numpy(array)
    restored = torch.empty_strided(array.shape, strides, dtype=values.dtype, device=device)
    return restored.copy_(values)


def _named(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found = values.items()
    return {name.removeprefix(prefix): v for name, v in found if name.startswith(prefix)}


def _curve_arrays(curves: list[dict[str, list[float]]]) -> dict[str, np.ndarray]:
    """The curves of all replicas one behind the other, and where each begins."""
    lengths = [len(curve["epoch"]) for curve in curves]
    joined = {f"curve {name}": np.concatenate([c[name] for c in curves]) for name in CURVES}
    return {**joined, "curve starts": np.cumsum([0, *lengths])}


def _curves(arrays: Mapping[str, np.ndarray]) -> list[dict[str, list[float]]]:
    """Back to a list of values by name for each replica."""
    spans = [slice(low, high) for low, high in pairwise(arrays["curve starts"].tolist())]
    curves = [{name: arrays[f"curve {name}"][span].tolist() for name in CURVES} for span in spans]
    for curve in curves:
        curve["epoch"] = list(map(int, curve["epoch"]))
    return curves
