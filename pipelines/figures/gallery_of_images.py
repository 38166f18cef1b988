"""The figures of a run whose rows are pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines import dataset
from pipelines.competition import NetworkMember
from pipelines.figures import of_images
from pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGE = "image"
FIRST_REPLICA = "fold-000-seed-0."


def draw(pipeline: Pipeline, *, note: str | None) -> Iterator[tuple[str, Figure]]:
    """Names and figures; none where no network sees pictures."""
    competition = pipeline.competition
    networks = [member for member in competition.members if isinstance(member, NetworkMember)]
    for number, member in enumerate(networks):
        images = _images(pipeline, member)
        if images is None:
            continue
        if number == 0:
            names = [competition.label_name(label) for label in competition.classes]
            target, oof = pipeline.prepared.target, pipeline.blend.oof
            yield "mistakes", of_images.mistakes(images, target, oof, names, note=note)
        models = pipeline.stages[f"train-{member.name}"].folder / "models"
        weights = first_weights(models / "replicas.safetensors", images.shape[1:])
        if weights is not None:
            figure = of_images.first_filters(weights, member=member.name, note=note)
            yield f"first_filters_{member.name}", figure


def _images(pipeline: Pipeline, member: NetworkMember) -> np.ndarray | None:
    """The training file's pictures as the network sees them, `(n_rows, C, H, W)`."""
    folder = pipeline.stages[f"dataset-{member.encoder.__name__}"].folder
    return dataset.load_array(folder, IMAGE)


def first_weights(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The weights that the first replica's first layer puts on one channel of pixels.

    Args:
        path: the saved replicas.
        shape: `(C, H, W)` of the pictures.

    Returns:
        `(n_filters, h, w)`: of a convolution its filters, of a linear layer as many pixels as the
        picture has; None where there is neither.
    """
    from safetensors.numpy import load_file

    for name, weight in sorted(load_file(path).items()):
        if name.startswith(FIRST_REPLICA) and weight.ndim == 4 and weight.shape[1] == shape[0]:
            return weight[:, 0]
        if name.startswith(FIRST_REPLICA) and weight.shape[1:] == (int(np.prod(shape)),):
            return weight.reshape(-1, *shape)[:, 0]
    return None
