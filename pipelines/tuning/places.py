"""A trial's place: its number in the sampler's sequence, which no two living trials share.

The place is stored with the trial when it is asked for. A trial that fails gives its place back,
and the next one that is asked takes the lowest that is free; so a killed study proposes what it
would have proposed, and the trial of a dead worker makes no other one repeat its values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from optuna.trial import FrozenTrial, Trial, TrialState

PLACE = "place"
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
ORDER_TIMEOUT_S = 10.0  # to wait for the trials before this one; a worker may have died meanwhile
PAUSE_S = 0.05
Trials = Sequence[FrozenTrial]


def is_living(trial: FrozenTrial) -> bool:
    """Whether the trial is finished, or may still be."""
    return trial.state != TrialState.FAIL


def take(trial: Trial, read: Callable[[], Trials], *, after: int, below: int) -> int | None:
    """Store the lowest free place beyond `after` with the trial.

    Trials choose in the order of their numbers, so that two that are asked at once differ.

    Args:
        trial: As it was asked, without values yet.
        read: Gives all trials of the study as they are now.
        after: Places up to this one are left for others.
        below: So are this one and those beyond it, which may belong to a later round.

    Returns:
        The place; None where there is none, or another worker has taken the same one, as after a
        long pause of this process: such a trial is given back.
    """
    place = _lowest_free(_after_those_before(trial.number, read), after)
    if place >= below:
        return None
    trial.set_user_attr(PLACE, place)
    others = (other for other in read() if is_living(other) and other.number != trial.number)
    return None if place in {other.user_attrs.get(PLACE) for other in others} else place


def _after_those_before(number: int, read: Callable[[], Trials]) -> Trials:
    """All trials, once those before this one have their places."""
    end = time.monotonic() + ORDER_TIMEOUT_S
    trials = read()
    while time.monotonic() < end and any(_is_choosing(t) for t in trials if t.number < number):
        time.sleep(PAUSE_S)
        trials = read()
    return trials


def _is_choosing(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and PLACE not in trial.user_attrs


def _lowest_free(trials: Trials, after: int) -> int:
    taken = {place_of(other, trials) for other in trials if is_living(other)}
    place = after + 1
    while place in taken:
        place += 1
    return place


def place_of(trial: FrozenTrial, trials: Trials) -> int | None:
    """The stored place; for finished trials of older versions, what it was there."""
    if PLACE in trial.user_attrs:
        return int(trial.user_attrs[PLACE])
    if not trial.state.is_finished():
        return None
    return trial.number - sum(t.number < trial.number and not is_living(t) for t in trials)
