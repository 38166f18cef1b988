"""What a person left open, and the configuration of a choice."""

import dataclasses

import pytest

from features.encoders.base import EncoderBlocks
from features.encoders.tabular import TabularEncoder
from features.fold_plan import FoldPlan
from models.estimators.sklearn_models import LogisticSettings
from pipelines.configuration.assignments import as_stored, configure, resolved
from pipelines.configuration.encoders import encoder_identities
from pipelines.members.estimator import EstimatorMember
from pipelines.planning.clock import TimeLimit
from pipelines.planning.costs import Costs, EncoderCost
from pipelines.planning.options import Options
from pipelines.planning.planner import Folds, Level


def options(competition, *bound, binds_members=False):
    limit = TimeLimit(100.0, 0.0, bound, binds_members)
    return Options(competition, limit, competition.folds.n_folds)


def test_the_files_own_folds_are_the_first_choice(toy):
    wide = toy.model_copy(update={"folds": FoldPlan(n_folds=10, n_repeats=3)})
    assert options(wide).folds == (*(Folds(10, 3), Folds(10), Folds(5), Folds(3), Folds(2)),)
    assert options(wide, "folds.n_folds").folds == (Folds(10, 3), Folds(10))
    assert options(wide, "folds.n_repeats").folds[-1] == Folds(2, 3)


def test_folds_by_time_are_left_alone(toy):
    by_time = toy.model_copy(update={"folds": FoldPlan(n_folds=4, time="size")})
    assert options(by_time).folds == (Folds(4),)


def level_of(found, name):
    (candidate,) = [c for c in found.candidates if c.name == name]
    return candidate.levels


def test_levels_end_with_the_files_own_training(toy):
    found = options(toy).choices(Costs(0.0), 1.0)
    assert [(level.n_seeds, level.length) for level in level_of(found, "mlp")] == [
        *((1, 1), (1, 2), (1, 4), (1, 6), (1, 8), (2, 8)),
    ]
    assert level_of(found, "trees")[-1] == Level(1, 10)
    assert [level.quality for level in level_of(found, "mlp")] == sorted(
        level.quality for level in level_of(found, "mlp")
    )


def test_what_was_typed_binds_the_plan(toy):
    bound = options(toy, "n_seeds", "trees.trees.n_estimators").choices(Costs(0.0), 1.0)
    assert {level.n_seeds for level in level_of(bound, "mlp")} == {2}
    assert {level.length for level in level_of(bound, "trees")} == {10}
    everything = options(toy, binds_members=True).choices(Costs(0.0), 1.0)
    assert all(candidate.is_bound for candidate in everything.candidates)


def test_a_choice_becomes_a_configuration(toy):
    chosen = {"trees": Level(1, 5), "mlp": Level(1, 4)}
    made = options(toy).run_of(Folds(2), chosen, chosen)
    assert [member.name for member in made.members] == ["mlp", "trees"]
    mlp, trees = made.members
    assert (mlp.train.epochs, mlp.n_seeds, mlp.train.lr) == (4, 1, 0.02)
    assert (trees.trees.n_estimators, trees.trees.learning_rate) == (5, 0.1)
    assert (made.folds.n_folds, made.folds.n_repeats) == (2, 1)


def test_the_whole_choice_is_the_files_own_configuration(toy):
    found = options(toy).choices(Costs(0.0), 1.0)
    levels = {c.name: c.levels[-1] for c in found.candidates}
    assert resolved(options(toy).run_of(found.folds[0], levels, levels)) == resolved(toy)


def test_a_bound_setting_keeps_its_value_where_the_plan_would_move_it(toy):
    typed = configure(toy, sets=["trees.trees.learning_rate=0.03"])
    chosen = {"trees": Level(1, 5)}
    made = options(typed, "trees.learning_rate").run_of(Folds(3), chosen, chosen)
    assert made.members[0].trees.learning_rate == 0.03
    assert made.members[0].trees.n_estimators == 5


def test_a_choice_survives_being_stored(toy):
    chosen = {"trees": Level(1, 5), "linear": Level(1, 2)}
    made = options(toy).run_of(Folds(2), chosen, chosen)
    assert resolved(as_stored(toy, resolved(made))) == resolved(made)


def blocks():
    size = TabularEncoder(["size"], [])
    return EncoderBlocks({"size": size, "double": TabularEncoder(["double"], [])})


@pytest.fixture
def with_blocks(toy):
    one = EstimatorMember(
        name="one",
        encoder=blocks,
        inputs={"x_num": ("size",)},
        estimator=LogisticSettings(),
    )
    both = one.model_copy(update={"name": "both", "inputs": {"x_num": ("size", "double")}})
    return toy.model_copy(update={"members": (one, both)})


def test_only_blocks_that_are_read_are_encoded(with_blocks):
    found = options(with_blocks).choices(Costs(0.0), 1.0)
    assert [candidate.parts for candidate in found.candidates] == [
        frozenset({"blocks/size"}),
        frozenset({"blocks/size", "blocks/double"}),
    ]
    one = {"one": Level(1, 1)}
    alone = options(with_blocks).run_of(Folds(3), one, one)
    assert set(alone.members[0].encoder().blocks) == {"size"}
    shared = options(with_blocks).run_of(Folds(3), one, {"one", "both"})
    assert set(shared.members[0].encoder().blocks) == {"size", "double"}


def test_an_encoder_without_unread_blocks_keeps_its_name(with_blocks):
    alone = configure(with_blocks, members=["one"])
    assert encoder_identities(alone)["one"].name == "blocks"
    assert set(alone.members[0].encoder().blocks) == {"size"}
    assert configure(with_blocks, members=["both"]).members[0].encoder is blocks


def test_blocks_that_take_long_can_be_left_out(with_blocks):
    costs = Costs(
        0.0, {"blocks/size": EncoderCost(split_s=0.1), "blocks/double": EncoderCost(split_s=60.0)}
    )
    lean = options(with_blocks).lean(costs)
    assert (lean.without, lean.reduced) == (("double",), {"both"})
    assert [member.inputs for member in lean.competition.members] == [{"x_num": ("size",)}] * 2
    found = lean.choices(costs, 1.0)
    assert found.is_reduced
    assert level_of(found, "one")[-1].quality > level_of(found, "both")[-1].quality
    made = lean.run_of(Folds(3), {"both": Level(1, 1)}, {"both"})
    assert set(made.members[0].encoder().blocks) == {"size"}
    assert resolved(as_stored(with_blocks, resolved(made))) == resolved(made)


def test_nothing_is_left_out_where_encoding_is_fast_or_an_input_would_be_lost(with_blocks):
    fast = Costs(
        0.0, {"blocks/size": EncoderCost(split_s=0.1), "blocks/double": EncoderCost(split_s=0.2)}
    )
    assert options(with_blocks).lean(fast) is None
    slow = dataclasses.replace(
        fast, encoders={name: EncoderCost(split_s=60.0) for name in fast.encoders}
    )
    assert options(with_blocks).lean(slow) is None
    typed = options(with_blocks, "both.inputs")
    assert typed.lean(slow) is None


def test_options_are_frozen(toy):
    with pytest.raises(dataclasses.FrozenInstanceError):
        options(toy).n_folds = 2
