"""Stage 5: all members' predictions to one, with an honest score of the way that was taken.

The first way is a weighted blend. Where a competition names stackers, they are tried beside it,
and the way with the best nested score is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from features.folds import Folds
from models.ensembling.blending import greedy_weights, nested
from models.ensembling.combiners import Models, Recipe, Weighted, from_description, stacker_inputs
from models.ensembling.stacking import Kin, Way, all_ways, best_of, stacker_folds, stacker_trainer
from models.estimators.boosters import Boosters
from models.estimators.persistence import Estimators
from models.estimators.sklearn_models import EstimatorSettings
from models.estimators.trees import TreesSettings
from models.metrics import METRICS
from pipelines.configuration.competition import Competition
from pipelines.members.predictions import Predictions
from pipelines.stages import train_test_overlap
from pipelines.stages.preprocess import Prepared
from pipelines.stages.train_test_overlap import Tables
from pipelines.workspace import arrays
from pipelines.workspace.summary import BLEND

RECIPE, STACKERS = "recipe.json", "stackers"
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
        recipe: how the taken way makes a prediction; None when read back.
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
    recipe: Recipe | None = None

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
    recipe = Weighted(weights)
    first = Way(BLEND, honest.oof, recipe.predict(test), np.ravel(honest.fold_scores), recipe)
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
        recipe=taken.recipe,
    )
    if competition.known is None or tables is None:
        return blend
    rows = train_test_overlap.find(
        competition.known, tables, target, folds, n_classes=len(competition.classes)
    )
    return _with_known(blend, rows, oof=oof, ways=ways)


def _with_known(
    blend: Blend, rows: train_test_overlap.KnownRows, *, oof: np.ndarray, ways: Sequence[Way]
) -> Blend:
    """Known test rows take their label, and all scores allow for their share."""
    return replace(
        blend,
        test=rows.told(blend.test),
        scores=rows.scores(blend.oof),
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
    """Arrays as npz, names as JSON, and what new rows need to go the way that was taken."""
    named = {
        "members": blend.members,
        "ways": blend.ways,
        "way": blend.way,
        "known_share": blend.known_share,
    }
    (folder / "members.json").write_text(json.dumps(named) + "\n")
    arrays.write(folder / "blend.npz", {name: getattr(blend, name) for name in ARRAYS})
    if blend.recipe is not None:
        _save_recipe(blend.recipe, folder)


def _save_recipe(recipe: Recipe, folder: Path) -> None:
    """The recipe as JSON, and each stacker's models in a folder of their own."""
    (folder / RECIPE).write_text(json.dumps(recipe.described()) + "\n")
    for stacked in recipe.stacked():
        models = folder / STACKERS / quote(stacked.name, safe="")
        models.mkdir(parents=True)
        for name, content in stacked.models.files().items():
            (models / name).write_bytes(content)


def stackers_inputs(
    competition: Competition, prepared: Prepared, oof: np.ndarray
) -> dict[str, np.ndarray]:
    """What the stackers were told of the training rows.

    Args:
        competition: as the run had it.
        prepared: the run's tables.
        oof: the members', `(n_members, n_rows, n_classes)`.
    """
    if competition.kin is None:
        return stacker_inputs(oof, None)
    metric, folds = METRICS[competition.metric], prepared.folds.assignment
    honest = nested(oof, prepared.target, folds, competition.blend, metric=metric)
    return stacker_inputs(oof, competition.kin(prepared.train, honest.oof))


def load_recipe(
    folder: Path,
    competition: Competition,
    prepared: Prepared,
    inputs: Callable[[], Mapping[str, np.ndarray]],
) -> Recipe:
    """How the way that the run took makes a prediction.

    Args:
        folder: what `save` was given.
        competition: as the run had it.
        prepared: the run's tables.
        inputs: gives what the stackers were told of the training rows, to train some again.
    """

    def models(name: str) -> Models:
        settings, own = competition.stackers[name], folder / STACKERS / quote(name, safe="")
        if isinstance(settings, TreesSettings):
            return Boosters.read(own)
        return Estimators.read(
            own,
            settings,
            [(fold, 0) for fold in range(len(list(prepared.folds.splits())))],
            _trainer(settings, prepared, inputs),
            n_classes=len(competition.classes),
        )

    return from_description(json.loads((folder / RECIPE).read_text()), models)


def _trainer(
    settings: EstimatorSettings, prepared: Prepared, inputs: Callable[[], Mapping[str, np.ndarray]]
) -> Callable[[int, int], Any]:
    """Trains a fold's stacker again; the members' predictions are read when the first is asked."""

    def train(fold: int, seed: int) -> Any:
        folds = stacker_folds(inputs(), prepared.folds.assignment)
        return stacker_trainer(settings, folds, prepared.target)(fold, seed)

    return train


def load(folder: Path) -> Blend:
    """Read back what `save` wrote."""
    named = json.loads((folder / "members.json").read_text())
    return Blend(
        members=tuple(named["members"]),
        ways=tuple(named["ways"]),
        way=named["way"],
        known_share=named["known_share"],
        **arrays.read(folder / "blend.npz"),  # type: ignore[arg-type]
    )
