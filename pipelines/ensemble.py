"""Stage 5: all members' predictions to one, with an honest score of the way that was taken.

The first way is a weighted blend. Where a competition names stackers, they are tried beside it,
and the way with the best nested score is taken.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.folds import Folds
from models.blending import blend as weighted
from models.blending import greedy_weights, nested
from models.metrics import METRICS
from models.second_level import Way, all_ways, best_of
from pipelines import arrays
from pipelines.competition import Competition
from pipelines.summary import BLEND
from pipelines.train import Predictions

ARRAYS = (
    *("weights", "oof", "test", "scores", "member_scores", "way_scores"),
    *("also", "member_also"),
)


@dataclass(frozen=True)
class Blend:
    """The members' weights and what they say together.

    Attributes:
        members: names, in the order of the weights.
        ways: names of the ways that were tried, the weighted blend first.
        way: the one that was taken.
        weights: `(n_members,)` of the weighted blend, not negative, summing to one.
        oof: `(n_train, n_classes)`, each row predicted without its fold.
        test: `(n_test, n_classes)`.
        scores: `(n_splits,)` the metric on each fold, by what was learned on the other folds.
        member_scores: `(n_members, n_splits)`.
        way_scores: `(n_ways, n_splits)`.
        also: `(n_also, n_splits)` the competition's further metrics.
        member_also: `(n_members, n_also, n_splits)`.
    """

    members: tuple[str, ...]
    ways: tuple[str, ...]
    way: str
    weights: np.ndarray
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    member_scores: np.ndarray
    way_scores: np.ndarray
    also: np.ndarray
    member_also: np.ndarray

    @property
    def cv(self) -> float:
        """The cross-validated score that the run tells."""
        return float(self.scores.mean())

    @property
    def cv_std(self) -> float:
        """Its spread: the standard deviation over folds."""
        return float(self.scores.std())


def ensemble(
    competition: Competition, target: np.ndarray, folds: Folds, predictions: Sequence[Predictions]
) -> Blend:
    """Weigh the members by their out-of-fold predictions, and try the competition's stackers.

    The scores are nested: what a fold is scored with was learned without that fold.
    """
    metric = METRICS[competition.metric]
    oof, test = (np.stack([getattr(p, part) for p in predictions]) for part in ("oof", "test"))
    names = [member.member for member in predictions]
    weights = greedy_weights(oof, target, competition.blend, members=names)
    honest = nested(oof, target, folds.assignment, competition.blend, metric=metric, members=names)
    first = Way(BLEND, honest.oof, weighted(test, weights), np.ravel(honest.fold_scores))
    stackers = competition.stackers
    ways = all_ways(first, oof, test, target, folds.assignment, stackers, metric=metric)
    taken = best_of(ways, metric)
    return Blend(
        members=tuple(names),
        ways=tuple(way.name for way in ways),
        way=taken.name,
        weights=weights,
        oof=taken.oof,
        test=taken.test,
        scores=taken.scores,
        member_scores=np.stack([member.scores for member in predictions]),
        way_scores=np.stack([way.scores for way in ways]),
        also=_further(competition, target, folds, taken.oof),
        member_also=np.stack([member.also for member in predictions]),
    )


def _further(
    competition: Competition, target: np.ndarray, folds: Folds, oof: np.ndarray
) -> np.ndarray:
    """The further metrics on each split's held-out rows, `(n_also, n_splits)`."""
    held_out = [split.valid_rows for split in folds.splits()]
    scores = [
        METRICS[metric].function(target[rows], oof[rows])
        for metric in competition.also
        for rows in held_out
    ]
    return np.array(scores).reshape(len(competition.also), len(held_out))


def save(blend: Blend, folder: Path) -> None:
    """Arrays as npz, names as JSON."""
    named = {"members": blend.members, "ways": blend.ways, "way": blend.way}
    (folder / "members.json").write_text(json.dumps(named) + "\n")
    arrays.write(folder / "blend.npz", {name: getattr(blend, name) for name in ARRAYS})


def load(folder: Path) -> Blend:
    """Read back what `save` wrote."""
    named = json.loads((folder / "members.json").read_text())
    return Blend(
        members=tuple(named["members"]),
        ways=tuple(named["ways"]),
        way=named["way"],
        **arrays.read(folder / "blend.npz"),
    )
