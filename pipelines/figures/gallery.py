"""The figures of a run, drawn from what its stages gave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.figures import gallery_of_images, gallery_of_texts, of_runs
from pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYNTHETIC = "synthetic data: the scores mean nothing"


def draw(pipeline: Pipeline, folder: Path) -> list[Path]:
    """Draw and save every figure; give their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, figure in _figures(pipeline):
        paths.append(folder / f"{name}.png")
        of_runs.save(figure, paths[-1])
    return paths


def _figures(pipeline: Pipeline) -> Iterator[tuple[str, Figure]]:
    competition, blend, target = pipeline.competition, pipeline.blend, pipeline.prepared.target
    metric, upwards = competition.metric.replace("_", " "), competition.greater_is_better
    note = SYNTHETIC if pipeline.raw.synthetic else None
    curves = {p.member: p.curves for p in pipeline.predictions if p.curves}
    if curves:
        yield (
            "learning_curves",
            of_runs.learning_curves(curves, metric=metric, greater_is_better=upwards, note=note),
        )
    names = [competition.label_name(label) for label in competition.classes]
    yield "confusion", of_runs.confusion(target, blend.oof, names, note=note)
    yield "reliability", of_runs.reliability(target, blend.oof, names, note=note)
    means = blend.member_scores.mean(axis=1)
    yield (
        "blend_weights",
        of_runs.blend_weights(blend.members, blend.weights, means, metric=metric, note=note),
    )
    scores = dict(zip(blend.members, blend.member_scores, strict=True)) | {"blend": blend.scores}
    yield (
        "scores_by_fold",
        of_runs.scores_by_fold(scores, metric=metric, greater_is_better=upwards, note=note),
    )
    yield from gallery_of_images.draw(pipeline, note=note)
    yield from gallery_of_texts.draw(pipeline, note=note)
