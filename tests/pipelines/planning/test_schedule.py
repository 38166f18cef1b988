"""A choice in order: a first submission soon, cheap members first, all of it within the seconds."""

import dataclasses

import pytest

from pipelines.planning.costs import Costs, EncoderCost, MemberCost
from pipelines.planning.going import Going
from pipelines.planning.planner import Candidate, Choices, Folds, Level, whole
from pipelines.planning.schedule import Budget, schedule

THREE, TWO = Folds(3), Folds(2)
ROUNDS = {"small": 0.02, "middle": 0.5, "large": 4.0}


def possible(*, encoding_s=0.1, ensemble_s=0.01):
    members = {n: MemberCost(replica_s=0.05, round_s=s) for n, s in ROUNDS.items()}
    shorter = (Level(1, 2, 0.6), Level(1, 4, 0.8), Level(1, 8))
    return Choices(
        candidates=tuple(Candidate(n, "e", frozenset({"e"}), shorter) for n in members),
        folds=(Folds(10), Folds(5), THREE, TWO),
        costs=Costs(1.0, {"e": EncoderCost(split_s=encoding_s)}, members, ensemble_s, 0.3),
        prepared=Folds(10),
    )


def budget(seconds, first_by=60.0):
    return Budget(limit_s=seconds + 3, spent_s=3.0, left_s=seconds, first_by_s=first_by)


@pytest.mark.parametrize("seconds", [4, 10, 20, 40, 80, 160, 320, 640])
def test_the_predicted_seconds_of_a_plan_sum_to_at_most_the_limit(seconds):
    found = schedule(possible(), (THREE, TWO), budget(seconds, first_by=min(60.0, seconds / 2)))
    plan = found.plan
    assert sum(step.seconds for step in plan.steps) <= plan.seconds <= seconds + 0.02
    assert plan.planned_at_s + plan.seconds <= plan.limit_s


def test_cheap_members_come_first():
    found = schedule(possible(), (TWO,), budget(2000, first_by=1000))
    assert [step.member for step in found.plan.steps] == ["small", "middle", "large"]
    assert found.plan.is_whole
    assert found.plan.steps[-1].publishes


def test_a_long_plan_has_a_submission_behind_its_first_member():
    found = schedule(possible(), (TWO,), budget(2000, first_by=30))
    assert found.quick is None
    assert found.plan.steps[0].publishes


def test_slow_encoding_means_a_quick_submission_on_few_folds_first():
    slow = possible(encoding_s=20.0)
    found = schedule(slow, (THREE, TWO), budget(600, first_by=60))
    assert found.quick.folds == TWO
    assert found.plan.steps[0].is_quick
    assert found.plan.steps[0].publishes
    assert found.quick.seconds + found.choice.seconds <= 600


def test_nothing_fits():
    assert schedule(possible(), (TWO,), budget(0.5)) is None


def test_what_has_no_time_is_named():
    plan = schedule(possible(), (TWO,), budget(10, first_by=5)).plan
    assert "large" in plan.left_out
    assert not plan.is_whole


def carried_out(going, seconds, pace):
    """The members that are trained if each takes `pace` times what is expected."""
    trained = []
    while (step := going.next(seconds, float("inf"))) is not None:
        taken = pace * going.expected(step)[0]
        seconds -= taken
        going.learn(step, taken)
        trained.append((step.member, step.length))
    return trained, seconds


def test_a_plan_is_carried_out_as_it_is_at_the_expected_pace():
    everything = dataclasses.replace(possible(), safety=1.3)
    trained, _ = carried_out(Going(everything, whole(everything)), 2000, 1.0)
    assert trained == [("small", 8), ("middle", 8), ("large", 8)]


def test_a_slow_machine_shortens_or_drops_members_rather_than_overrun():
    everything = dataclasses.replace(possible(), safety=1.3)
    going = Going(everything, whole(everything))
    trained, left = carried_out(going, 1.1 * whole(everything).seconds, 3.0)
    assert left >= 0
    assert trained[0] == ("small", 8)
    assert ("large", 8) not in trained
    assert any(change.startswith("large") for change in going.changes)


def test_a_fast_machine_trains_more_than_was_planned():
    careful = dataclasses.replace(possible(), safety=1.3)
    found = schedule(careful, (TWO,), budget(100, first_by=1000))
    assert not found.plan.is_whole
    trained, left = carried_out(Going(careful, found.choice), 100, 0.2)
    assert left >= 0
    planned = sum(level.length for level in found.choice.levels.values())
    assert sum(length for _, length in trained) > planned


def test_a_first_submission_that_took_longer_slows_what_follows():
    going = Going(dataclasses.replace(possible(), safety=1.3), whole(possible()))
    going.learn_pace(10.0, 40.0)
    assert 2 < going.choices.safety < 40 / 10 * 1.3
    slow = going.choices.safety
    going.learn_pace(0.1, 0.4)  # too short to say anything
    assert going.choices.safety == slow


def test_members_that_an_earlier_run_trained_say_nothing_of_the_pace():
    everything = dataclasses.replace(possible(), safety=1.3)
    going = Going(everything, whole(everything))
    going.learn(going.next(2000, 0.0), None)
    assert going.choices.safety == 1.3
    assert set(going.done) == {"small"}


def test_a_member_with_other_blocks_of_a_shared_encoder_is_not_taken_in_later():
    few = dataclasses.replace(possible().candidates[0], parts=frozenset({"e/few"}))
    costs = possible().costs
    parts = {"e/few": EncoderCost(split_s=0.1), "e": EncoderCost(split_s=0.1)}
    choices = dataclasses.replace(
        possible(),
        candidates=(few, *possible().candidates[1:]),
        costs=dataclasses.replace(costs, encoders=parts),
    )
    found = schedule(choices, (TWO,), budget(1.9, first_by=1000))
    assert set(found.choice.levels) == {"small"}
    assert {c.name for c in Going(choices, found.choice).choices.candidates} == {"small"}


def test_the_blend_of_one_member_makes_that_of_all_no_cheaper():
    everything = possible(ensemble_s=0.1)
    going = Going(everything, whole(everything))
    going.learn_blend(1, 0.2)
    assert going.choices.costs.ensemble_s == 0.1
    going.learn_blend(1, 5.0)
    assert going.choices.costs.ensemble_s == 0.5
    going.learn_blend(3, 0.9)
    assert going.choices.costs.ensemble_s == pytest.approx(0.03)
