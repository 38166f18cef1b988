"""The PNG figures of a run, drawn from what its stages returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.text import tokens
from pipelines.configuration.competition import Competition
from pipelines.faults import Attempt
from pipelines.figures import curves, images, predictions, scores, texts, values
from pipelines.figures.output import save
from pipelines.members.network import NetworkMember, networks_of
from pipelines.members.predictions import mean_defined
from pipelines.stages import dataset
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace.stage_files import TrainFiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYNTHETIC = "synthetic data: the scores mean nothing"
IMAGE = "image"
FIRST_REPLICA = "fold-000-seed-0."

Named = Iterator[tuple[str, Callable[[], "Figure"]]]


@dataclass(frozen=True)
class Gallery:
    """The figures of a run.

    Attributes:
        paths: Those that were drawn.
        faults: By name, why another was not.
    """

    paths: tuple[Path, ...]
    faults: Mapping[str, Exception]


def draw(pipeline: Pipeline, folder: Path) -> Gallery:
    """Draw and save every figure; one that fails stops no other."""
    paths, faults = list[Path](), dict[str, Exception]()
    for kind in KINDS:
        with Attempt() as listing:
            for name, make in kind(pipeline, note=SYNTHETIC if pipeline.raw.synthetic else None):
                with Attempt() as drawing:
                    folder.mkdir(exist_ok=True)
                    save(make(), folder / f"{name}.png")
                    paths.append(folder / f"{name}.png")
                if drawing.error is not None:
                    faults[name] = drawing.error
        if listing.error is not None:
            faults[kind.__name__.strip("_")] = listing.error
    return Gallery(tuple(paths), faults)


def _curves(pipeline: Pipeline, *, note: str | None) -> Named:
    """The learning curves; none where no member is a network."""
    of_members = {p.member: p.curves for p in pipeline.predictions if p.curves}
    if of_members:
        competition = pipeline.competition
        yield (
            "learning_curves",
            lambda: curves.learning_curves(
                of_members,
                metric=_metric(competition),
                greater_is_better=competition.greater_is_better,
                note=note,
            ),
        )


def _predictions(pipeline: Pipeline, *, note: str | None) -> Named:
    """What suits the task: confusion and calibration, or predicted against true and residuals."""
    competition, blend = pipeline.competition, pipeline.blend
    task, held_out = competition.predicts, pipeline.prepared.folds.held_out
    target, oof = pipeline.prepared.target[held_out], blend.oof[held_out]
    if task.has_classes:
        names = competition.label_names
        yield (
            "confusion",
            lambda: predictions.confusion(
                target, blend.decision.apply(oof, task), names, note=note
            ),
        )
    if task.chooses_class:
        yield "reliability", lambda: predictions.reliability(target, oof, names, note=note)
        return
    columns = target.reshape(len(target), -1).astype(np.float64)
    yield (
        "predicted_against_true",
        lambda: values.predicted_against_true(columns, oof, competition.targets, note=note),
    )
    if not task.predicts_probabilities:
        yield "residuals", lambda: values.residuals(columns, oof, competition.targets, note=note)


def _scores(pipeline: Pipeline, *, note: str | None) -> Named:
    competition, blend = pipeline.competition, pipeline.blend
    metric, means = _metric(competition), mean_defined(blend.member_scores)
    yield (
        "blend_weights",
        lambda: scores.blend_weights(blend.members, blend.weights, means, metric=metric, note=note),
    )
    by_member = dict(zip(blend.members, blend.member_scores, strict=True)) | {"blend": blend.scores}
    yield (
        "scores_by_fold",
        lambda: scores.scores_by_fold(
            by_member, metric=metric, greater_is_better=competition.greater_is_better, note=note
        ),
    )


def _images(pipeline: Pipeline, *, note: str | None) -> Named:
    """The mistakes and the first filters; none where no network sees images."""
    competition = pipeline.competition
    for number, member in enumerate(networks_of(competition)):
        pixels = _pixels(pipeline, member)
        if pixels is None:
            continue
        if number == 0 and competition.predicts.chooses_class:
            names, target = _class_names(competition), pipeline.prepared.target
            oof = pipeline.blend.oof
            yield "mistakes", partial(images.mistakes, pixels, target, oof, names, note=note)
        models = TrainFiles(pipeline.contents.layout.train(member.name)).models
        from models.training.trained import WEIGHTS

        weights = first_weights(models / WEIGHTS, pixels.shape[1:])
        if weights is not None:
            draw_filters = partial(images.first_filters, weights, member=member.name, note=note)
            yield f"first_filters_{member.name}", draw_filters


def _pixels(pipeline: Pipeline, member: NetworkMember) -> np.ndarray | None:
    """The training images as the network sees them, `(n_rows, C, H, W)`."""
    folder = pipeline.contents.layout.dataset(pipeline.encoders[member.name].name)
    return dataset.load_array(folder, IMAGE)


def first_weights(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The weights of the first replica's first layer for one channel of pixels.

    Args:
        path: The saved replicas.
        shape: `(C, H, W)` of the images.

    Returns:
        `(n_filters, h, w)`: the filters of a convolution, or the weights of a linear layer in the
        shape of the image; None where the network has neither.
    """
    from safetensors.numpy import load_file

    for name, weight in sorted(load_file(path).items()):
        if name.startswith(FIRST_REPLICA) and weight.ndim == 4 and weight.shape[1] == shape[0]:
            return weight[:, 0]
        if name.startswith(FIRST_REPLICA) and weight.shape[1:] == (int(np.prod(shape)),):
            return weight.reshape(-1, *shape)[:, 0]
    return None


def _texts(pipeline: Pipeline, *, note: str | None) -> Named:
    """Accuracy by length, losses and word effects; none without a column of texts."""
    competition, prepared = pipeline.competition, pipeline.prepared
    if competition.text is None or not competition.predicts.chooses_class:
        return
    rows = prepared.train[competition.text].to_list()
    target, oof, names = prepared.target, pipeline.blend.oof, _class_names(competition)
    from pipelines.figures.word_effects import explain

    n_words = np.array([len(tokens(text)) for text in rows])
    yield "by_length", lambda: texts.accuracy_by_length(target, oof, n_words, note=note)
    yield "losses", lambda: texts.largest_losses(rows, target, oof, names, note=note)
    explained = explain(pipeline)
    if explained is not None and explained[1]:
        member, effects = explained
        yield "words", lambda: texts.word_effects(effects, member=member, note=note)


def _metric(competition: Competition) -> str:
    return competition.metric.name.replace("_", " ")


def _class_names(competition: Competition) -> list[str]:
    return list(competition.label_names)


KINDS = (_curves, _predictions, _scores, _images, _texts)
