"""Measures what the parts of a run cost: a few steps of the real work, on a part of the rows.

Sizes grow until a measurement takes long enough to be believed, so that slow work is tried on few
rows and fast work on all of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoders.base import complete, is_stateless
from pipelines.faults import Attempt
from pipelines.members.predictions import Predictions, Problem
from pipelines.planning.costs import EncoderCost, MemberCost
from pipelines.planning.sample import first_rows, part_of
from pipelines.planning.speeds import scaled
from pipelines.stages import dataset, ensemble

if TYPE_CHECKING:
    from features.encoders.base import Encoder
    from pipelines.configuration.competition import Competition
    from pipelines.members.data import FoldedDataset
    from pipelines.members.member import Member
    from pipelines.stages.preprocess import Prepared

    Maker = Callable[[], Encoder]

FIRST_ROWS, MOST_ROWS, GROWTH = 1000, 8000, 2
TRIED_ROWS = 2000  # that members are tried on, at most
BLEND_ROWS, BLEND_SPLITS = 1500, 2
BELIEVED_S = 0.12  # a measurement that takes as long needs no larger one
SLOW_S = 0.5  # a training that takes as long is tried with one epoch more, not with several
WARMING_ROWS = 200
READ_BYTES_PER_S = 4e8
N_SPLITS = 2  # that members are tried on
LEAST_OWN = 0.02  # share of an epoch that belongs to a replica alone, at least
WIDER = 4  # times as many replicas, for what a stack shares


@dataclass
class Timer:
    """Times pieces of one kind of work beside other programs.

    The processor's time of a piece hardly depends on what else runs, so that pieces can be compared
    by it. How much longer they take by the clock is known of all of them together.

    Attributes:
        device: Where the work is done; on `cuda` only the clock counts.
        clock_s: By the clock, all pieces.
        processor_s: On all cores, all pieces.
    """

    device: str = "cpu"
    clock_s: float = 0.0
    processor_s: float = 0.0

    def time(self, work: Callable[[], object]) -> float:
        """Processor seconds of a piece."""
        clock, processor = time.perf_counter(), time.process_time()
        work()
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        own = clock if self.device == "cuda" else max(processor, 1e-6)
        self.clock_s, self.processor_s = self.clock_s + clock, self.processor_s + own
        return own

    @property
    def pace(self) -> float:
        """Seconds by the clock for one of the processor."""
        return self.clock_s / self.processor_s if self.processor_s else 1.0


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
    n_all, times, timer = len(prepared.train), list[tuple[int, float]](), Timer()
    for n_rows in _sizes(n_all):
        with Attempt() as attempt:
            seconds = _encoded(timer, maker, part_of(prepared, n_rows, 1), folder / f"{n_rows}")
            times.append((n_rows, seconds))
        if attempt.error is not None and n_rows == n_all:
            raise attempt.error
        is_believed = len(times) > 1 and times[-1][1] > BELIEVED_S
        if is_believed or n_rows >= MOST_ROWS:
            break
    is_once = is_stateless(complete(maker()))
    return EncoderCost(split_s=timer.pace * _at(n_all, times), is_once=is_once)


def encoding(maker: Maker, prepared: Prepared, folder: Path) -> Encoding:
    """Encode a part of the rows to try members on.

    Raises:
        Exception: It cannot encode even all rows.
    """
    n_all = len(prepared.train)
    for n_rows in [n for n in _sizes(n_all) if n >= min(n_all, TRIED_ROWS)]:
        part, place = part_of(prepared, n_rows, N_SPLITS), folder / f"{n_rows}"
        with Attempt() as attempt:
            _encoded(Timer(), maker, part, place)
        if attempt.error is None:
            break
        if n_rows == n_all:
            raise attempt.error
    n_bytes = sum(path.stat().st_size for path in place.iterdir()) / N_SPLITS
    return Encoding(place, part, n_bytes * n_all / n_rows)


def _sizes(n_all: int) -> list[int]:
    """Numbers of rows to try, ascending; the last is all of them."""
    n_rows, sizes = FIRST_ROWS, list[int]()
    while n_rows < n_all:
        sizes.append(n_rows)
        n_rows *= GROWTH
    return [*sizes, n_all]


def _encoded(timer: Timer, maker: Maker, prepared: Prepared, folder: Path) -> float:
    """Processor seconds to encode the tables into the folder."""
    folder.mkdir(parents=True)
    return timer.time(lambda: dataset.save(dataset.encoded_views(prepared, maker), folder))


def _at(n_rows: int, times: Sequence[tuple[int, float]]) -> float:
    """Seconds for that many rows: `a n + b n²` through the last two measurements."""
    n_last, last = times[-1]
    if n_last >= n_rows or len(times) == 1:
        return last * n_rows / n_last
    n_before, before = times[-2]
    square = (last / n_last - before / n_before) / (n_last - n_before)
    square = min(max(square, 0.0), last / n_last**2)
    return (last - square * n_last**2) / n_last * n_rows + square * n_rows**2


@dataclass(frozen=True)
class Trial:
    """A member on a part of the rows.

    Attributes:
        member: The member.
        problem: What it predicts.
        data: The part.
        device: Where networks are trained.
        scale: How many times as many rows the competition has.
        timer: Times its trainings.
    """

    member: Member
    problem: Problem
    data: FoldedDataset
    device: str
    scale: float
    timer: Timer

    def seconds(self, length: int, *, n_seeds: int = 1, share: float = 1.0) -> float:
        """Processor seconds of a training of that length, on a share of the part."""
        data = self.data
        if share < 1:
            data = first_rows(data, max(round(share * len(data.target)), 2 * len(data.views)))
        one = with_seeds(self.member, n_seeds).of_length(length)
        return self.timer.time(lambda: one.fit(self.problem, data, device=self.device))

    @property
    def n_models(self) -> int:
        """Splits of the part."""
        return len(self.data.views)

    @property
    def rows(self) -> float:
        """The share of the rows that a split trains on."""
        trained = [len(view.split.train_rows) for view in self.data.views]
        return float(np.mean(trained)) / len(self.data.target)


def member(trial: Trial, n_bytes: float) -> MemberCost:
    """Train a member shortly on a part of the rows.

    Args:
        trial: The member, and the largest part to try it on.
        n_bytes: What one split of all rows takes on disk.

    Raises:
        Exception: It cannot be trained even on the whole part.
    """
    trial, short = _believed(trial)
    has_rounds = trial.member.length_key is not None
    cost = _with_rounds(trial, short) if has_rounds else _without_rounds(trial, short)
    cost = scaled(cost, trial.timer.pace)
    reading = n_bytes / READ_BYTES_PER_S
    return cost.model_copy(update={"replica_s": cost.replica_s + reading})


def _believed(whole: Trial) -> tuple[Trial, float]:
    """The fewest rows, first of all, on which a short training takes long enough; its seconds."""
    n_all, short = len(whole.data.target), whole.member.probe_lengths[0]
    n_rows = min(n_all, max(whole.member.probe_rows, FIRST_ROWS // 2))
    with Attempt():  # loads libraries
        replace(whole, timer=Timer()).seconds(short, share=WARMING_ROWS / n_all)
    while True:
        trial = whole
        if n_rows < n_all:
            part = first_rows(whole.data, n_rows)
            trial = replace(whole, data=part, scale=whole.scale * n_all / n_rows)
        with Attempt() as attempt:
            seconds = trial.seconds(short)
        if attempt.error is not None and n_rows == n_all:
            raise attempt.error
        if n_rows == n_all or (attempt.error is None and seconds > BELIEVED_S):
            return trial, seconds
        n_rows = min(n_all, 2 * GROWTH * n_rows)


def _with_rounds(trial: Trial, short: float) -> MemberCost:
    few, more = trial.member.probe_lengths
    more = few + 1 if short > SLOW_S else more
    long = trial.seconds(more)
    per_round = max(long - short, LEAST_OWN * short) / (more - few)
    fixed = _fixed(trial, few, short)
    beside = max(short - fixed - few * per_round, 0.0)
    shared = 0.0
    if trial.member.is_stack and long < 2 * BELIEVED_S:
        wide = trial.seconds(more, n_seeds=WIDER) - fixed - beside * WIDER
        own = (wide / more - per_round) / (trial.n_models * (WIDER - 1))
        own = min(max(own, LEAST_OWN * per_round / trial.n_models), per_round / trial.n_models)
        shared, per_round = per_round - own * trial.n_models, own * trial.n_models
    return MemberCost(
        replica_s=(trial.scale * beside + fixed) / trial.n_models,
        round_s=trial.scale * per_round / trial.n_models / trial.rows,
        shared_round_s=trial.scale * shared / trial.rows,
        n_side_by_side=min(trial.member.n_side_by_side, trial.n_models),
    )


def _fixed(trial: Trial, length: int, seconds: float) -> float:
    """The seconds of a training that do not depend on the number of rows."""
    if trial.scale <= 1:
        return 0.0
    with Attempt() as attempt:
        half = trial.seconds(length, share=0.5)
    return 0.0 if attempt.error is not None else min(max(2 * half - seconds, 0.0), half)


def _without_rounds(trial: Trial, seconds: float) -> MemberCost:
    """A model's whole fit: measured on half of the rows too, since it may grow as their square."""
    n_rows, times = len(trial.data.target), list[tuple[int, float]]()
    with Attempt() as attempt:
        half = trial.seconds(1, share=0.5)
    if attempt.error is None:
        times.append((n_rows // 2, half))
    whole = _at(round(trial.scale * n_rows), [*times, (n_rows, seconds)])
    return MemberCost(replica_s=0.0, round_s=whole / trial.n_models / trial.rows)


def blend(competition: Competition, prepared: Prepared) -> float:
    """Seconds of stage 5 for each member and split, measured on made-up predictions."""
    part = part_of(prepared, min(BLEND_ROWS, len(prepared.train)), BLEND_SPLITS)
    settings = ensemble.EnsembleSettings.of(competition)
    made_up = [_made_up(competition, part, seed) for seed in range(len(competition.members))]
    tables = (part.train, part.test)
    timer = Timer()
    with Attempt() as attempt:
        timer.time(
            lambda: ensemble.ensemble(
                settings, settings.goal(part), part.folds, made_up, tables=tables
            )
        )
    seconds = timer.clock_s
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


def work_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for encoded parts, gone at the end."""
    return tempfile.TemporaryDirectory(prefix="foldwise-probe-")


def with_seeds(one: Member, n_seeds: int) -> Member:
    """The member with so many replicas for each split."""
    return one.model_copy(update={"n_seeds": n_seeds}) if hasattr(one, "n_seeds") else one
