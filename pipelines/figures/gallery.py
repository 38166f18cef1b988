"""The figures of a run, drawn from what its stages gave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.text import tokens
from pipelines.figures import images as image_figures
from pipelines.figures import runs as run_figures
from pipelines.figures import texts as text_figures
from pipelines.figures.word_effects import explain
from pipelines.members.network import NetworkMember, networks_of
from pipelines.stages import dataset
from pipelines.stages.pipeline import Pipeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYNTHETIC = "synthetic data: the scores mean nothing"


def draw(pipeline: Pipeline, folder: Path) -> list[Path]:
    """Draw and save every figure; give their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, figure in _figures(pipeline):
        paths.append(folder / f"{name}.png")
        run_figures.save(figure, paths[-1])
    return paths


def _figures(pipeline: Pipeline) -> Iterator[tuple[str, Figure]]:
    competition, blend, target = pipeline.competition, pipeline.blend, pipeline.prepared.target
    metric, upwards = competition.metric.replace("_", " "), competition.greater_is_better
    note = SYNTHETIC if pipeline.raw.synthetic else None
    curves = {p.member: p.curves for p in pipeline.predictions if p.curves}
    if curves:
        yield (
            "learning_curves",
            run_figures.learning_curves(
                curves, metric=metric, greater_is_better=upwards, note=note
            ),
        )
    names = [competition.label_name(label) for label in competition.classes]
    yield "confusion", run_figures.confusion(target, blend.oof, names, note=note)
    yield "reliability", run_figures.reliability(target, blend.oof, names, note=note)
    means = blend.member_scores.mean(axis=1)
    yield (
        "blend_weights",
        run_figures.blend_weights(blend.members, blend.weights, means, metric=metric, note=note),
    )
    scores = dict(zip(blend.members, blend.member_scores, strict=True)) | {"blend": blend.scores}
    yield (
        "scores_by_fold",
        run_figures.scores_by_fold(scores, metric=metric, greater_is_better=upwards, note=note),
    )
    yield from _of_images(pipeline, note=note)
    yield from _of_texts(pipeline, note=note)


IMAGE = "image"
FIRST_REPLICA = "fold-000-seed-0."


def _of_images(pipeline: Pipeline, *, note: str | None) -> Iterator[tuple[str, Figure]]:
    """Names and figures; none where no network sees pictures."""
    competition = pipeline.competition
    for number, member in enumerate(networks_of(competition)):
        images = _images(pipeline, member)
        if images is None:
            continue
        if number == 0:
            names = [competition.label_name(label) for label in competition.classes]
            target, oof = pipeline.prepared.target, pipeline.blend.oof
            yield "mistakes", image_figures.mistakes(images, target, oof, names, note=note)
        models = pipeline.stages[f"train-{member.name}"].folder / "models"
        weights = first_weights(models / "replicas.safetensors", images.shape[1:])
        if weights is not None:
            figure = image_figures.first_filters(weights, member=member.name, note=note)
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


def _of_texts(pipeline: Pipeline, *, note: str | None) -> Iterator[tuple[str, Figure]]:
    """Names and figures; none where the competition names no column of texts."""
    competition, prepared = pipeline.competition, pipeline.prepared
    if competition.text is None:
        return
    texts = prepared.train[competition.text].to_list()
    target, oof = prepared.target, pipeline.blend.oof
    n_words = np.array([len(tokens(text)) for text in texts])
    yield "by_length", text_figures.accuracy_by_length(target, oof, n_words, note=note)
    names = [competition.label_name(label) for label in competition.classes]
    yield "losses", text_figures.largest_losses(texts, target, oof, names, note=note)
    explained = explain(pipeline)
    if explained is not None and explained[1]:
        member, own = explained
        yield "words", text_figures.word_effects(own, member=member, note=note)
