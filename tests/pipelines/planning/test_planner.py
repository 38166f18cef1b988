"""The planner: costs and seconds in, folds, members, seeds and lengths out; no clock."""

import dataclasses
import math

import pytest

from pipelines.planning.costs import Costs, EncoderCost, MemberCost
from pipelines.planning.planner import (
    Candidate,
    Choices,
    Folds,
    Level,
    blend_seconds,
    choose,
    cost_of,
    least,
    whole,
)

TEN, FIVE, THREE = Folds(10), Folds(5), Folds(3)


def levels(whole_length, n_seeds=1):
    shares = (1 / 4, 1 / 2, 1)
    shorter = [Level(1, round(s * whole_length), 0.9 * s**0.3) for s in shares]
    return (*shorter, Level(n_seeds, whole_length))


def candidate(name, length=8, *, encoder="columns", parts=("columns",), is_bound=False, n_seeds=1):
    return Candidate(name, encoder, frozenset(parts), levels(length, n_seeds), is_bound)


def choices(**costs_of_members):
    members = {
        name: MemberCost(replica_s=0.1, round_s=round_s)
        for name, round_s in (costs_of_members or {"cheap": 0.1, "dear": 1.0}).items()
    }
    return Choices(
        candidates=tuple(candidate(name) for name in members),
        folds=(TEN, FIVE, THREE),
        costs=Costs(1.0, {"columns": EncoderCost(split_s=0.5)}, members, 0.01, 0.2),
    )


def test_a_member_costs_its_replicas_epochs_and_rows():
    cost = MemberCost(replica_s=1.0, round_s=2.0, shared_round_s=0.5)
    assert cost.seconds(n_splits=3, n_seeds=2, length=4, rows=0.5) == 0.5 * 4 * 0.5 + 6 * (1 + 4)


def test_threads_that_have_no_work_cost_as_much_as_those_that_have():
    cost = MemberCost(replica_s=0.0, round_s=1.0, n_side_by_side=4)
    assert cost.seconds(n_splits=5, n_seeds=1, length=1) == 8.0
    assert cost.seconds(n_splits=8, n_seeds=1, length=1) == 8.0


def test_everything_is_chosen_where_it_fits():
    possible = choices()
    found = choose(possible, whole(possible).seconds)
    assert found == whole(possible)
    assert found.folds == TEN


@pytest.mark.parametrize("seconds", [8, 10, 15, 25, 40, 60, 90, 150])
def test_a_choice_fits_into_its_seconds(seconds):
    found = choose(choices(), seconds)
    assert found is not None
    assert found.seconds <= seconds
    assert found.seconds == pytest.approx(
        cost_of(dataclasses.replace(choices(), folds=(found.folds,)), found.levels).seconds
    )


def test_more_seconds_never_give_a_worse_choice():
    gains = [choose(choices(), seconds).gain for seconds in (8, 15, 30, 60, 120, 240)]
    assert gains == sorted(gains)
    assert gains[0] < gains[-1]


def test_nothing_fits_into_too_few_seconds():
    possible = choices()
    cheapest = least(possible).seconds
    assert choose(possible, cheapest - 0.01) is None
    assert choose(possible, cheapest) is not None


def test_the_cheaper_of_equal_members_comes_first():
    possible = choices(dear=3.0, cheap=0.01)
    found = choose(possible, 12.0)
    assert set(found.levels) == {"cheap"}


def test_bound_members_are_part_of_every_choice():
    bound = tuple(dataclasses.replace(c, is_bound=c.name == "dear") for c in choices().candidates)
    possible = dataclasses.replace(choices(), candidates=bound)
    assert "dear" in choose(possible, 15.0).levels
    assert set(least(possible).levels) == {"dear"}
    assert choose(possible, least(possible).seconds - 0.1) is None


def test_safety_multiplies_every_cost():
    plain, careful = choices(), dataclasses.replace(choices(), safety=2.0)
    assert whole(careful).seconds == pytest.approx(2 * whole(plain).seconds)
    assert blend_seconds(careful, TEN, 2) == pytest.approx(2 * blend_seconds(plain, TEN, 2))


def test_what_is_done_costs_nothing_more_and_stays():
    possible = dataclasses.replace(
        choices(),
        folds=(THREE,),
        done={"dear": Level(1, 8)},
        encoded=frozenset({"columns"}),
        prepared=THREE,
    )
    found = choose(possible, 2.0)
    assert found.levels["dear"] == Level(1, 8)
    assert set(found.levels) == {"dear", "cheap"}
    assert found.seconds < 2.0


def test_an_encoder_is_paid_for_the_parts_that_are_read():
    costs = Costs(
        0.0,
        {"e/few": EncoderCost(split_s=1.0), "e/many": EncoderCost(split_s=100.0)},
        {name: MemberCost(replica_s=0.0, round_s=0.0) for name in ("a", "b")},
    )
    possible = Choices(
        (
            candidate("a", encoder="e", parts=("e/few",)),
            candidate("b", encoder="e", parts=("e/few", "e/many")),
        ),
        (THREE,),
        costs,
    )
    assert cost_of(possible, {"a": Level(1, 8)}).seconds == 3.0
    assert cost_of(possible, {"a": Level(1, 8), "b": Level(1, 8)}).seconds == 303.0


def test_an_encoder_that_learns_nothing_is_paid_once():
    cost = EncoderCost(split_s=2.0, is_once=True)
    assert (cost.seconds(1), cost.seconds(30)) == (2.0, 2.0)


def test_more_folds_repeats_members_and_epochs_gain():
    possible = choices()
    both = {"cheap": Level(1, 8), "dear": Level(1, 8)}

    def gain(folds, chosen):
        return cost_of(dataclasses.replace(possible, folds=(folds,)), chosen).gain

    assert gain(TEN, both) > gain(THREE, both) > gain(Folds(2), both)
    assert gain(Folds(10, 3), both) > gain(TEN, both)
    assert gain(TEN, both) > gain(TEN, {"dear": Level(1, 8)})
    assert gain(TEN, {"dear": Level(1, 8)}) > gain(TEN, {"dear": Level(1, 2, 0.7)})


def test_the_same_costs_give_the_same_choice():
    assert choose(choices(), 33.0) == choose(choices(), 33.0)
    assert math.isfinite(choose(choices(), 33.0).seconds)
