"""A report's charts: evidence in, inline SVG out; `pipelines.figures` draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from pipelines.figures import columns, curves, predictions, scores
from pipelines.figures.output import inline_svg
from pipelines.figures.values import ValueBins, deciles_panel
from pipelines.report.evidence import (
    Band,
    Bin,
    ColumnDrift,
    Curves,
    FoldScores,
    Importance,
    ValueOutcome,
)
from pipelines.workspace.summary import MemberLine


def fold_scores(members: Sequence[FoldScores], *, metric: str) -> Markup:
    """Each fold's score by member, the last one in the second colour."""
    figure = scores.scores_panel(
        {member.name: np.array(member.scores) for member in members},
        metric=metric,
        highlighted=members[-1].name,
    )
    return Markup(inline_svg(figure, name="scores", label=f"{metric} of each fold, by member"))


def blend_weights(members: Sequence[MemberLine], *, metric: str) -> Markup:
    """The members' weights in the blend, and their scores."""
    figure = scores.weights_panel(
        [member.name for member in members],
        np.array([member.weight for member in members]),
        np.array([member.score for member in members]),
        metric=metric,
    )
    return Markup(inline_svg(figure, name="weights", label="weights in the blend, by member"))


def learning_curves(members: Sequence[Curves], *, metric: str) -> Iterator[dict[str, Any]]:
    """For each network the title and the chart of its loss, then those of its score."""
    for number, member in enumerate(members):
        drawn = curves.MemberCurves(
            n_replicas=member.n_replicas,
            train_loss=_band(member.train_loss),
            valid_loss=_band(member.valid_loss),
            valid_score=_band(member.valid_score),
        )
        titles = drawn.loss_title(member.member), drawn.score_title(member.member, metric)
        figures = curves.loss_panel(drawn), curves.score_panel(drawn)
        for kind, title, figure in zip(("loss", "score"), titles, figures, strict=True):
            svg = inline_svg(figure, name=f"{kind}-{number}", label=f"{title}, by epoch")
            yield {"title": title, "svg": Markup(svg)}


def _band(band: Band) -> curves.Band:
    return curves.Band(**{key: np.array(values) for key, values in band.model_dump().items()})


def calibration(bins: predictions.Bins, *, probability_of: str) -> Markup:
    """Predicted probabilities against observed shares."""
    figure = predictions.reliability_panel(bins, probability_of)
    label = f"calibration of the predicted probability of {probability_of}"
    return Markup(inline_svg(figure, name="calibration", label=label))


def bins_of(stored: Sequence[Bin]) -> predictions.Bins:
    """The bins of the evidence as arrays."""
    return predictions.Bins(
        predicted=np.array([one.predicted for one in stored]),
        observed=np.array([one.observed for one in stored]),
        n_rows=np.array([one.n_rows for one in stored]),
    )


def values(outcomes: Sequence[ValueOutcome]) -> Iterator[dict[str, Any]]:
    """Each target's deciles: predicted against true."""
    for number, outcome in enumerate(outcomes):
        parts = ("predicted", "observed", "low", "high", "n_rows")
        bins = ValueBins(**{part: np.array(getattr(outcome, part)) for part in parts})
        figure = deciles_panel(bins, outcome.name)
        label = f"predicted {outcome.name} against true"
        svg = Markup(inline_svg(figure, name=f"values-{number}", label=label))
        yield {"name": outcome.name, "bias": f"{outcome.bias:+.1%}", "svg": svg}


def importance(measured: Importance, *, metric: str) -> Markup:
    """The loss in the metric when a column is shuffled."""
    figure = columns.importance_panel(
        [column.name for column in measured.columns],
        np.array([column.cost for column in measured.columns]),
        np.array([column.std for column in measured.columns]),
        metric=metric,
    )
    label = f"loss in {metric} when a column is shuffled"
    return Markup(inline_svg(figure, name="importance", label=label))


def drifts(measured: Sequence[ColumnDrift]) -> Iterator[dict[str, Any]]:
    """Each column's distribution in train and in test."""
    for number, column in enumerate(measured):
        figure = columns.drift_panel(column.bins, np.array(column.train), np.array(column.test))
        label = f"{column.name} in train and in test"
        yield {
            "name": column.name,
            "numbers": f"{column.share:.0%} · AUC {column.auc:.2f}",
            "svg": Markup(inline_svg(figure, name=f"drift-{number}", label=label)),
            "first": column.bins[0],
            "last": column.bins[-1],
        }
