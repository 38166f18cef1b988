"""A first submission, chosen before anything is measured: cheap by kind and rows, on few folds."""

import pytest

from pipelines.competitions import load_competition
from pipelines.configuration.assignments import configure
from pipelines.planning.clock import TimeLimit
from pipelines.planning.options import Options
from pipelines.planning.planner import Folds


def options(competition, *bound, binds_members=False):
    limit = TimeLimit(100.0, 0.0, bound, binds_members)
    return Options(competition, limit, competition.folds.n_folds)


@pytest.mark.parametrize(
    ("name", "n_rows", "cheap"),
    [
        ("titanic", 891, {"logistic", "trees"}),
        ("otto", 49_502, {"notes"}),  # no other member does without distances to neighbours
        ("house-prices", 1_465, {"ridge"}),
        ("digit-recognizer", 42_000, {"mlp"}),
        ("rotten-tomatoes", 156_060, {"tf-idf"}),
    ],
)
def test_a_cheap_member_comes_first_on_the_fewest_folds(name, n_rows, cheap):
    found = options(load_competition(name)).first(n_rows, 300.0)
    assert found.folds == Folds(2)
    assert len(found.levels) == 1
    assert set(found.levels) <= cheap


def test_it_is_trained_for_longer_where_that_takes_next_to_nothing(toy):
    name, level = next(iter(options(toy).first(80, 0.1).levels.items()))
    longer = options(toy).first(80, 60.0).levels[name]
    assert level.length < longer.length
    assert longer.length == next(m.length for m in toy.members if m.name == name)


def test_more_rows_than_a_short_training_can_see_in_time_are_measured_first(toy):
    assert options(toy).first(80, 10.0) is not None
    assert options(toy).first(100_000_000, 10.0) is None


def test_what_is_bound_stays_but_for_the_members(toy):
    bound = configure(toy, sets=["folds.n_folds=3", "linear.train.epochs=5"])
    found = options(bound, "folds.n_folds", "linear.train.epochs", binds_members=True)
    first = found.first(80, 1.0)
    assert first.folds == Folds(3, 1)
    assert len(first.levels) == 1
    assert all(level.length == 5 for name, level in first.levels.items() if name == "linear")
