"""Trained replicas as one stack for predictions, and the two files they are saved in.

Saved replicas later predict the same bytes on the same machine, since the files also keep which
replicas went through the network together.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from models.data import Array, InputShape, TrainingDataError, TrainingFailedError, tensor_of
from models.losses import Loss
from models.target_scale import TargetScale
from models.training.augmentation import inputs_in_view
from models.training.batches import LENGTHS, sorted_by_length, trimmed
from models.training.hardware import Workers, autocast, dtype_of, split_evenly
from models.training.replica_chunk import forward_over
from models.training.settings import TrainSettings
from models.training.tables import unscaled
from models.vectorised.stack import Forward, Stack

WEIGHTS = "replicas.safetensors"
DESCRIPTION = "networks.json"


_POOLED = 16  # texts are sorted by length within this many batches


class SavedNetworksError(ValueError):
    """Saved weights do not fit the network's parameters."""

    exit_code = 3


@dataclass(frozen=True)
class Networks:
    """R trained replicas of a network.

    Attributes:
        template: The network, for its structure only.
        stack: The weights, in the order of `owners`.
        owners: Fold and seed of each replica; within a block fold-major.
        usable: Whether each replica ended without a fault.
        inputs: The keywords of the network's `forward`.
        settings: How they were trained; precision and batches matter for predictions, too.
        loss: Turns logits into predictions.
        scales: Each fold's scale of each target column; empty for the target's own.
        strategy: "layers", "vmap" or "sequential".
        chunk_size: Most replicas in one pass.
        workers: The threads that share the passes.
        device: Where the weights are.
        block_size: Most replicas in a block, which predicts apart; None: all are one block.
    """

    template: nn.Module
    stack: Stack
    owners: tuple[tuple[int, int], ...]
    usable: tuple[bool, ...]
    inputs: tuple[str, ...]
    settings: TrainSettings
    loss: Loss
    strategy: str
    chunk_size: int
    workers: Workers
    device: torch.device
    scales: tuple[tuple[TargetScale, ...], ...] = ()
    block_size: int | None = None

    @torch.no_grad()
    def predict(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.floating]:
        """Each replica's predictions for new rows.

        Args:
            inputs_per_fold: The same rows, encoded by each fold's encoder.

        Returns:
            `(R, n, n_classes)`; `predict_mean` needs less memory.
        """
        parts = [
            torch.cat(self._probabilities(inputs_per_fold, rows)).cpu().numpy()
            for rows in self._slices(inputs_per_fold)
        ]
        return np.concatenate(parts, axis=1)

    @torch.no_grad()
    def predict_mean(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.float64]:
        """The mean over the usable replicas, for new rows.

        The rows pass in batches, so that memory does not grow with R times n.

        Args:
            inputs_per_fold: The same rows, encoded by each fold's encoder.

        Returns:
            `(n, n_classes)`.

        Raises:
            TrainingFailedError: If no replica is usable.
        """
        if not any(self.usable):
            raise TrainingFailedError("no replica is usable: every one ended with a fault")
        mean: NDArray[np.float64] = self.predict_sum(inputs_per_fold) / sum(self.usable)
        return mean

    @torch.no_grad()
    def predict_sum(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> NDArray[np.float64]:
        """The sum over the usable replicas, for new rows; the arguments are those of `predict`.

        Blocks are summed up apart, so that their sums add up to this one.

        Returns:
            `(n, n_classes)`.
        """
        slices = self._slices(inputs_per_fold)
        return np.concatenate([self._sum(inputs_per_fold, rows) for rows in slices])

    def _sum(
        self, inputs_per_fold: Sequence[Mapping[str, Array]], rows: slice
    ) -> NDArray[np.float64]:
        keep = torch.tensor(self.usable, device=self.device)
        parts = zip(self._parts, self._probabilities(inputs_per_fold, rows), strict=True)
        by_block: dict[int, list[Tensor]] = {}
        for (block, part), of_chunk in parts:
            usable = keep[part.start : part.stop]
            chunk_sum = of_chunk[usable].double().sum(dim=0)  # (r, B, C) -> (B, C)
            by_block.setdefault(block, []).append(chunk_sum)
        summed: NDArray[np.float64] = total(map(total, by_block.values())).cpu().numpy()
        return summed

    @property
    def _parts(self) -> list[tuple[int, range]]:
        """The passes: the number of the block, and the replicas."""
        n_replicas = len(self.owners)
        blocks = split_evenly(n_replicas, n_workers=1, most=self.block_size or n_replicas)
        return [
            (number, range(block.start + part.start, block.start + part.stop))
            for number, block in enumerate(blocks)
            for part in split_evenly(len(block), n_workers=1, most=self.chunk_size)
        ]

    def _probabilities(
        self, inputs_per_fold: Sequence[Mapping[str, Array]], rows: slice
    ) -> list[Tensor]:
        """For each chunk of replicas `(r, B, n_classes)`."""

        @torch.no_grad()  # per thread, so that of `predict` does not hold here
        def of_part(part: range) -> Tensor:
            forward = forward_over(self.template, self.stack, part.start, part.stop, self.strategy)
            folds = [self.owners[at][0] for at in part]
            learned = self._mean_over_views(forward, self._batch(inputs_per_fold, folds, rows))
            if not self.scales:
                return learned
            pairs = zip(learned, folds, strict=True)
            return torch.stack([unscaled(part, self.scales, fold) for part, fold in pairs])

        return self.workers.map(of_part, [part for _, part in self._parts])

    def _mean_over_views(self, forward: Forward, batch: Mapping[str, Tensor]) -> Tensor:
        """For each key `(r, B, ...)` -> probabilities `(r, B, n_classes)`."""
        n_views = self.settings.n_views
        by_view = (self._logits(forward, inputs_in_view(batch, v)) for v in range(n_views))
        flat = total(self.loss.probabilities(logits.flatten(0, 1)) for logits in by_view) / n_views
        return flat.view(len(next(iter(batch.values()))), -1, flat.shape[-1])

    def _logits(self, forward: Forward, batch: Mapping[str, Tensor]) -> Tensor:
        """For each key `(r, B, ...)` -> `(r, B, ..., n_outputs)`."""
        dtype = dtype_of(self.settings.precision)

        def run(part: Mapping[str, Tensor]) -> Tensor:
            with autocast(self.settings.precision, self.device):
                return forward(part, training=False).to(dtype)

        if self.settings.length_pool is None:
            return run(batch)
        return sorted_by_length(
            lambda at: run(trimmed({key: value[:, at] for key, value in batch.items()}))[0],
            batch[LENGTHS][0],  # one replica at a time
            batch_size=self.settings.eval_batch_size,
        )[None]

    def _batch(
        self, inputs_per_fold: Sequence[Mapping[str, Array]], folds: Sequence[int], rows: slice
    ) -> dict[str, Tensor]:
        """For each key the rows of each replica's fold: `(r, B, ...)`."""
        batch, dtype = {}, dtype_of(self.settings.precision)
        for key in self.inputs:
            parts = {
                fold: tensor_of(inputs_per_fold[fold][key][rows], dtype, self.device)
                for fold in dict.fromkeys(folds)
            }
            batch[key] = torch.stack([parts[fold] for fold in folds])
        return batch

    def _slices(self, inputs_per_fold: Sequence[Mapping[str, Array]]) -> list[slice]:
        n_folds = 1 + max(fold for fold, _ in self.owners)
        lengths = {len(array) for inputs in inputs_per_fold for array in inputs.values()}
        if len(inputs_per_fold) != n_folds or len(lengths) != 1:
            raise TrainingDataError(
                f"inputs_per_fold must hold the same rows for {n_folds} folds, got "
                f"{len(inputs_per_fold)} folds with row counts {sorted(lengths)}"
            )
        n_rows, size = lengths.pop(), self.settings.eval_batch_size
        if self.settings.length_pool is not None:
            size *= _POOLED
        return [slice(start, start + size) for start in range(0, max(n_rows, 1), size)]


def total(parts: Iterable[Tensor]) -> Tensor:
    """Their sum, added in order."""
    return functools.reduce(torch.add, parts)


def save(networks: Networks, shape: InputShape, n_outputs: int) -> dict[str, bytes]:
    """File names -> contents: the weights as safetensors, everything else as JSON.

    The keys of the weights are `fold-000-seed-0.<parameter>`.

    Args:
        networks: The replicas.
        shape: The inputs that the network was built for.
        n_outputs: The number of outputs that it was built with.
    """
    described = {
        "shape": asdict(shape),
        "n_outputs": n_outputs,
        "owners": networks.owners,
        "usable": networks.usable,
        "inputs": networks.inputs,
        "strategy": networks.strategy,
        "chunk_size": networks.chunk_size,
        "is_parallel": networks.workers.n_workers > 1,
        "scales": [[scale.to_dict() for scale in of_fold] for of_fold in networks.scales],
    }
    if networks.block_size is not None:
        described["block_size"] = networks.block_size
    weights = {
        f"{_name(*owner)}.{name}": tensor[at].cpu().contiguous()
        for at, owner in enumerate(networks.owners)
        for name, tensor in networks.stack.tensors().items()
    }
    return {
        WEIGHTS: to_bytes(weights),
        DESCRIPTION: (json.dumps(described, indent=1) + "\n").encode(),
    }


def load(
    folder: Path,
    build: Callable[[InputShape, int], nn.Module],
    settings: TrainSettings,
    loss: Loss,
    device: torch.device,
) -> Networks:
    """The replicas that `save` wrote.

    Args:
        folder: The folder of the two files.
        build: Makes the network for inputs of a shape and a number of outputs.
        settings: How the replicas were trained.
        loss: The loss that they were trained with.
        device: Where they are to predict.

    Raises:
        SavedNetworksError: If the network that `build` makes has different parameters.
    """
    saved = json.loads((folder / DESCRIPTION).read_text())
    shape = _shape(saved["shape"])
    with torch.random.fork_rng(devices=[]):  # the weights that `build` draws are discarded
        template = build(shape, saved["n_outputs"]).to(device, dtype_of(settings.precision))
    owners = tuple((fold, seed) for fold, seed in saved["owners"])
    return Networks(
        template=template,
        stack=_stack(template, load_file(folder / WEIGHTS, str(device)), owners, folder),
        owners=owners,
        usable=tuple(saved["usable"]),
        inputs=tuple(saved["inputs"]),
        settings=settings,
        loss=loss,
        strategy=saved["strategy"],
        chunk_size=saved["chunk_size"],
        workers=Workers(torch.get_num_threads() if saved["is_parallel"] else 1),
        device=device,
        scales=tuple(
            tuple(map(TargetScale.from_dict, of_fold)) for of_fold in saved.get("scales", ())
        ),
        block_size=saved.get("block_size"),
    )


def _shape(saved: Mapping[str, Any]) -> InputShape:
    """The shape from JSON, whose lists were tuples."""
    frozen: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in saved.items()}
    return InputShape(**frozen)


def _name(fold: int, seed: int) -> str:
    return f"fold-{fold:03d}-seed-{seed}"


def _stack(
    template: nn.Module,
    saved: Mapping[str, Tensor],
    owners: Sequence[tuple[int, int]],
    folder: Path,
) -> Stack:
    weights, buffers = dict(template.named_parameters()), dict(template.named_buffers())
    expected = {
        f"{_name(*owner)}.{name}": tensor.shape
        for owner in owners
        for name, tensor in (weights | buffers).items()
    }
    found = {name: tensor.shape for name, tensor in saved.items()}
    if expected != found:
        names = expected.keys() | found.keys()
        differing = sorted(n for n in names if expected.get(n) != found.get(n))
        raise SavedNetworksError(
            f"{folder / WEIGHTS}: {len(differing)} weights do not fit the network as its code is "
            f"now (first: {differing[0]}); run the competition again"
        )

    def stacked(names: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {n: torch.stack([saved[f"{_name(*owner)}.{n}"] for owner in owners]) for n in names}

    moments: dict[str, tuple[Tensor, ...]] = dict.fromkeys(weights, ())
    return Stack(stacked(weights), stacked(buffers), moments, [0] * len(owners))
