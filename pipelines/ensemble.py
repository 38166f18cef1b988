"""Stage 5: all members' predictions to one, with an honest score of the way that was taken.

The first way is a weighted blend. Where a competition names stackers, they are tried beside it,
and the way with the best nested score is taken.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.folds import Folds
from models.blending import blend as weighted
from models.blending import greedy_weights, nested
from models.metrics import METRICS
from models.second_level import Kin, Way, all_ways, best_of
from pipelines import arrays, known
from pipelines.competition import Competition
from pipelines.known import Tables
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
        known_share: of the test rows, those that took the label of a training row; the scores
            count them as right, and are for the rest those of held-out rows that are new.
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
    known_share: float = 0.0

    @property
    def cv_new(self) -> float:
        """The score on rows that are new alone."""
        return (self.cv - self.known_share) / (1 - self.known_share)

    @property
    def cv(self) -> float:
        """The cross-validated score that the run tells."""
        return float(self.scores.mean())

    @property
    def cv_std(self) -> float:
        """Its spread: the standard deviation over folds."""
        return float(self.scores.std())


def ensemble(
    competition: Competition,
    target: np.ndarray,
    folds: Folds,
    predictions: Sequence[Predictions],
    *,
    tables: Tables | None = None,
) -> Blend:
    """Weigh the members by their out-of-fold predictions, and try the competition's stackers.

    The scores are nested: what a fold is scored with was learned without that fold.

    Args:
        competition: whose members they are.
        target: `(n_train,) int64` class index.
        folds: which rows are held out when.
        predictions: of every member.
        tables: of training and test rows, for a competition with `kin` or `known` rows.
    """
    metric = METRICS[competition.metric]
    oof, test = (np.stack([getattr(p, part) for p in predictions]) for part in ("oof", "test"))
    names = [member.member for member in predictions]
    weights = greedy_weights(oof, target, competition.blend, members=names)
    honest = nested(oof, target, folds.assignment, competition.blend, metric=metric, members=names)
    first = Way(BLEND, honest.oof, weighted(test, weights), np.ravel(honest.fold_scores))
    stackers, kin = competition.stackers, _kin(competition, tables, first)
    ways = all_ways(first, oof, test, target, folds.assignment, stackers, metric=metric, kin=kin)
    taken = best_of(ways, metric)
    blend = Blend(
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
    if competition.known is None or tables is None:
        return blend
    rows = known.find(competition.known, tables, target, folds, n_classes=len(competition.classes))
    return replace(
        blend,
        test=rows.told(blend.test),
        scores=rows.scores(taken.oof),
        member_scores=np.stack([rows.scores(own) for own in oof]),
        way_scores=np.stack([rows.scores(way.oof) for way in ways]),
        known_share=rows.share,
    )


def _kin(competition: Competition, tables: Tables | None, first: Way) -> Kin | None:
    """What the rows of one table say of each other, in training and test table."""
    kin = competition.kin
    if kin is None or tables is None or not competition.stackers:
        return None
    train, test = tables
    return kin(train, first.oof), kin(test, first.test)


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
    named = {
        "members": blend.members,
        "ways": blend.ways,
        "way": blend.way,
        "known_share": blend.known_share,
    }
    (folder / "members.json").write_text(json.dumps(named) + "\n")
    arrays.write(folder / "blend.npz", {name: getattr(blend, name) for name in ARRAYS})


def load(folder: Path) -> Blend:
    """Read back what `save` wrote."""
    named = json.loads((folder / "members.json").read_text())
    return Blend(
        members=tuple(named["members"]),
        ways=tuple(named["ways"]),
        way=named["way"],
        known_share=named["known_share"],
        **arrays.read(folder / "blend.npz"),
    )
