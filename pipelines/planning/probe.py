"""Measures what the parts of a run cost: a few steps of the real work, on a part of the rows.

Sizes grow until a measurement takes long enough to be believed, so that slow work is tried on few
rows and fast work on all of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.base import complete, is_stateless
from pipelines.faults import Attempt
from pipelines.members.predictions import Predictions, Problem
from pipelines.planning.costs import EncoderCost, MemberCost
from pipelines.planning.sample import first_rows, part_of
from pipelines.stages import dataset, ensemble

if TYPE_CHECKING:
    from features.encoders.base import Encoder
    from pipelines.configuration.competition import Competition
    from pipelines.members.data import FoldedDataset
    from pipelines.members.member import Member
    from pipelines.stages.preprocess import Prepared

    Maker = Callable[[], Encoder]

FIRST_ROWS, MOST_ROWS, GROWTH = 1000, 8000, 2
TRIED_ROWS = 4000  # that members are tried on, at most
BLEND_ROWS = 2000
BELIEVED_S = 0.12  # a measurement that takes as long needs no larger one
SLOW_S = 2.0  # what takes as long is not tried a second time
READ_BYTES_PER_S = 4e8
N_SPLITS = 2  # that members are tried on
LEAST_OWN = 0.02  # share of an epoch that belongs to a replica alone, at least
WIDER = 4  # times as many replicas, for what a stack shares


@dataclass(frozen=True)
class Encoding:
    """A part of the rows that an encoder encoded.

    Attributes:
        folder: Holds it.
        prepared: The tables of that part.
        n_bytes: What one split of all rows takes on disk.
    """

    folder: Path
    prepared: Prepared
    n_bytes: float

    def dataset(self, member: Member) -> FoldedDataset:
        """The part as the member takes it."""
        return dataset.load(self.folder, self.prepared, member.inputs)


def encoder(maker: Maker, prepared: Prepared, folder: Path) -> EncoderCost:
    """Encode one split of parts of the rows, each twice as large as the one before.

    Args:
        maker: Makes the encoder.
        prepared: All rows.
        folder: An empty one.

    Raises:
        Exception: It cannot encode even all rows.
    """
    n_all, times = len(prepared.train), list[tuple[int, float]]()
    for n_rows in _sizes(n_all):
        with Attempt() as attempt:
            seconds = _encoded(maker, part_of(prepared, n_rows, 1), folder / f"{n_rows}")
            times.append((n_rows, seconds))
        if attempt.error is not None and n_rows == n_all:
            raise attempt.error
        if times and (times[-1][1] > BELIEVED_S or n_rows >= MOST_ROWS):
            break
    is_once = is_stateless(complete(maker()))
    return EncoderCost(split_s=_at(n_all, times), is_once=is_once)


def encoding(maker: Maker, prepared: Prepared, folder: Path) -> Encoding:
    """Encode a part of the rows to try members on: the largest one that goes fast.

    Raises:
        Exception: It cannot encode even all rows.
    """
    n_all = len(prepared.train)
    for n_rows in _sizes(n_all):
        part, place = part_of(prepared, n_rows, N_SPLITS), folder / f"{n_rows}"
        with Attempt() as attempt:
            seconds = _encoded(maker, part, place)
        if attempt.error is not None and n_rows == n_all:
            raise attempt.error
        if attempt.error is None and (seconds > BELIEVED_S or n_rows >= min(n_all, TRIED_ROWS)):
            break
    n_bytes = sum(path.stat().st_size for path in place.iterdir()) / N_SPLITS
    return Encoding(place, part, n_bytes * n_all / n_rows)


def _sizes(n_all: int) -> list[int]:
    """Numbers of rows to try, ascending; the last is all of them."""
    n_rows, sizes = FIRST_ROWS, list[int]()
    while n_rows < n_all:
        sizes.append(n_rows)
        n_rows *= GROWTH
    return [*sizes, n_all]


def _encoded(maker: Maker, prepared: Prepared, folder: Path) -> float:
    """Seconds to encode the tables into the folder."""
    folder.mkdir(parents=True)
    return timed(lambda: dataset.save(dataset.encoded_views(prepared, maker), folder))


def _at(n_rows: int, times: Sequence[tuple[int, float]]) -> float:
    """Seconds for that many rows: `a n + b n²` through the last two measurements."""
    n_last, last = times[-1]
    if n_last >= n_rows or len(times) == 1:
        return last * n_rows / n_last
    n_before, before = times[-2]
    square = (last / n_last - before / n_before) / (n_last - n_before)
    square = min(max(square, 0.0), last / n_last**2)
    return (last - square * n_last**2) / n_last * n_rows + square * n_rows**2


def member(
    one: Member, problem: Problem, encoded: Encoding, device: str, n_rows: int
) -> MemberCost:
    """Train a member shortly on a part of the rows.

    Args:
        one: The member.
        problem: What it predicts.
        encoded: By its encoder.
        device: Where networks are trained.
        n_rows: Training rows of the competition.

    Raises:
        Exception: It cannot be trained even on the whole part.
    """
    data = _believed(one, problem, encoded.dataset(one), device)
    scale = n_rows / len(data.target)
    reading = encoded.n_bytes / READ_BYTES_PER_S
    if one.length_key is None:
        return _without_rounds(one, problem, data, device, scale, reading)
    return _with_rounds(one, problem, data, device, scale, reading)


def _believed(one: Member, problem: Problem, whole: FoldedDataset, device: str) -> FoldedDataset:
    """The fewest rows, first of all, on which a short training takes long enough."""
    n_all, is_warm = len(whole.target), False
    n_rows = min(n_all, max(one.probe_rows, FIRST_ROWS // 2))
    while True:
        data = whole if n_rows == n_all else first_rows(whole, n_rows)
        with Attempt() as attempt:
            seconds = 0.0 if is_warm else _fit(_short(one), problem, data, device)
            if seconds < SLOW_S:  # the first call also loads libraries
                seconds = _fit(_short(one), problem, data, device)
            is_warm = True
        if attempt.error is not None and n_rows == n_all:
            raise attempt.error
        if n_rows == n_all or (attempt.error is None and seconds > BELIEVED_S):
            return data
        n_rows = min(n_all, 2 * GROWTH * n_rows)


def _with_rounds(
    one: Member, problem: Problem, data: FoldedDataset, device: str, scale: float, reading: float
) -> MemberCost:
    few, more = one.probe_lengths
    n_models, rows = len(data.views), _share_of_rows(data)
    short = _fit(one_seed(one).of_length(few), problem, data, device)
    long = _fit(one_seed(one).of_length(more), problem, data, device)
    per_round = max(long - short, 0.02 * short) / (more - few)
    beside = max(short - few * per_round, 0.0)
    shared = 0.0
    if one.is_stack and long < 2 * BELIEVED_S:
        wide = one.model_copy(update={"n_seeds": WIDER}).of_length(more)
        wider = (_fit(wide, problem, data, device) - beside * WIDER) / more
        own = (wider - per_round) / (n_models * (WIDER - 1))
        own = min(max(own, LEAST_OWN * per_round / n_models), per_round / n_models)
        shared, per_round = per_round - own * n_models, own * n_models
    return MemberCost(
        replica_s=scale * beside / n_models + reading,
        round_s=scale * per_round / n_models / rows,
        shared_round_s=scale * shared / rows,
        n_side_by_side=min(one.n_side_by_side, n_models),
    )


def _without_rounds(
    one: Member, problem: Problem, data: FoldedDataset, device: str, scale: float, reading: float
) -> MemberCost:
    """A model's whole fit: measured on half of the rows too, since it may grow as their square."""
    n_rows, n_models, member_ = len(data.target), len(data.views), one_seed(one)
    half = first_rows(data, max(n_rows // 2, 1))
    with Attempt() as attempt:
        seconds = _fit(member_, problem, half, device)
    times = [] if attempt.error is not None else [(len(half.target), seconds)]
    times.append((n_rows, _fit(member_, problem, data, device)))
    whole = _at(round(scale * n_rows), times) / n_models
    return MemberCost(replica_s=reading, round_s=whole / _share_of_rows(data))


def blend(competition: Competition, prepared: Prepared) -> float:
    """Seconds of stage 5 for each member and split, measured on made-up predictions."""
    part = part_of(prepared, min(BLEND_ROWS, len(prepared.train)))
    settings = ensemble.EnsembleSettings.of(competition)
    made_up = [_made_up(competition, part, seed) for seed in range(len(competition.members))]
    tables = (part.train, part.test)
    with Attempt() as attempt:
        seconds = timed(
            lambda: ensemble.ensemble(
                settings, settings.goal(part), part.folds, made_up, tables=tables
            )
        )
    if attempt.error is not None:
        seconds = 1e-6 * len(part.train) * len(made_up) * part.folds.n_folds
    scale = len(prepared.train) / len(part.train)
    return seconds * scale / (len(made_up) * part.folds.n_splits)


def _made_up(competition: Competition, prepared: Prepared, seed: int) -> Predictions:
    """Predictions that know a little of the target."""
    task, rng = competition.predicts, np.random.default_rng(seed)
    n_train, n_test = len(prepared.train), len(prepared.test)
    if task.predicts_probabilities:
        known = np.eye(task.n_columns)[prepared.target] if task.chooses_class else 0.0
        oof = 0.3 * known + rng.random((n_train, task.n_columns))
        test = rng.random((n_test, task.n_columns))
        if task.chooses_class:
            oof, test = (p / p.sum(axis=1, keepdims=True) for p in (oof, test))
    else:
        target = prepared.target.reshape(n_train, -1).astype(np.float64)
        oof = target * rng.uniform(0.9, 1.1, target.shape)
        test = rng.permutation(np.resize(oof, (n_test, oof.shape[1])))
    n_splits = prepared.folds.n_splits
    also = np.zeros((len(competition.extra_metrics), n_splits))
    return Predictions(f"{seed}", oof, test, rng.random(n_splits), also=also)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def work_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for encoded parts, gone at the end."""
    return tempfile.TemporaryDirectory(prefix="foldwise-probe-")


def one_seed(one: Member) -> Member:
    """The member with a single replica for each split."""
    return one.model_copy(update={"n_seeds": 1}) if hasattr(one, "n_seeds") else one


def _short(one: Member) -> Member:
    return one_seed(one).of_length(one.probe_lengths[0])


def _fit(one: Member, problem: Problem, data: FoldedDataset, device: str) -> float:
    return timed(lambda: one.fit(problem, data, device=device))


def _share_of_rows(data: FoldedDataset) -> float:
    """The share of the rows that a split trains on."""
    trained = [len(view.split.train_rows) for view in data.views]
    return float(np.mean(trained)) / len(data.target)
