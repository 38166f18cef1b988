"""Stage 5: all members' predictions to one blend, with an honest score of the blend itself."""

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
from pipelines import arrays
from pipelines.competition import Competition
from pipelines.train import Predictions

ARRAYS = ("weights", "oof", "test", "scores", "member_scores")


@dataclass(frozen=True)
class Blend:
    """The members' weights and what they say together.

    Attributes:
        members: names, in the order of the weights.
        weights: `(n_members,)`, not negative, summing to one.
        oof: `(n_train, n_classes)`, each row blended with weights chosen without its fold.
        test: `(n_test, n_classes)`.
        scores: `(n_splits,)` the metric on each fold, by weights chosen on the other folds.
        member_scores: `(n_members, n_splits)`.
    """

    members: tuple[str, ...]
    weights: np.ndarray
    oof: np.ndarray
    test: np.ndarray
    scores: np.ndarray
    member_scores: np.ndarray

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
    """Weigh the members by their out-of-fold predictions.

    The score is nested: the weights that a fold is scored with were chosen without that fold.
    """
    metric = METRICS[competition.metric]
    oof = np.stack([member.oof for member in predictions])
    names = [member.member for member in predictions]
    weights = greedy_weights(oof, target, competition.blend, members=names)
    honest = nested(oof, target, folds.assignment, competition.blend, metric=metric, members=names)
    return Blend(
        members=tuple(names),
        weights=weights,
        oof=honest.oof,
        test=weighted(np.stack([member.test for member in predictions]), weights),
        scores=np.ravel(honest.fold_scores),
        member_scores=np.stack([member.scores for member in predictions]),
    )


def save(blend: Blend, folder: Path) -> None:
    """Arrays as npz, members by name as JSON."""
    (folder / "members.json").write_text(json.dumps(blend.members) + "\n")
    arrays.write(folder / "blend.npz", {name: getattr(blend, name) for name in ARRAYS})


def load(folder: Path) -> Blend:
    """Read back what `save` wrote."""
    members = tuple(json.loads((folder / "members.json").read_text()))
    return Blend(members, **arrays.read(folder / "blend.npz"))
