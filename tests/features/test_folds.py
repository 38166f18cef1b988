import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.folds import FoldError, FoldPlan, Folds, make_folds

PLANS = st.builds(
    FoldPlan,
    n_folds=st.integers(2, 9),
    n_repeats=st.integers(1, 3),
    seed=st.integers(0, 2**40),
    stratify=st.booleans(),
)


def assert_each_row_is_held_out_once_per_repeat(folds: Folds, n_rows: int) -> None:
    rows = np.arange(n_rows)
    held_out = [[] for _ in range(folds.n_repeats)]
    for split in folds.splits():
        assert split.valid_rows.size > 0
        assert split.train_rows.dtype == split.valid_rows.dtype == np.int64
        assert np.array_equal(np.union1d(split.train_rows, split.valid_rows), rows)
        assert split.train_rows.size + split.valid_rows.size == n_rows
        assert (np.diff(split.train_rows) > 0).all()
        held_out[split.repeat].extend(split.valid_rows)
    assert all(sorted(of_repeat) == rows.tolist() for of_repeat in held_out)


@settings(deadline=None)
@given(plan=PLANS, n_rows=st.integers(4, 80), n_classes=st.integers(2, 4))
def test_each_row_is_held_out_once_per_repeat(plan, n_rows, n_classes):
    target = np.arange(n_rows) % n_classes
    assume(n_rows // (n_classes if plan.stratify else 1) >= plan.n_folds)
    folds = make_folds(target, plan)
    assert (folds.n_folds, folds.n_repeats) == (plan.n_folds, plan.n_repeats)
    assert len(list(folds.splits())) == folds.n_splits == plan.n_folds * plan.n_repeats
    assert_each_row_is_held_out_once_per_repeat(folds, n_rows)


@settings(deadline=None)
@given(plan=PLANS, n_groups=st.integers(4, 30), rows_per_group=st.integers(2, 4))
def test_a_group_is_never_on_both_sides(plan, n_groups, rows_per_group):
    assume(n_groups >= plan.n_folds)
    plan = plan.model_copy(update={"group": "ticket"})
    groups = np.repeat([f"t{i}" for i in range(n_groups)], rows_per_group)
    target = np.arange(len(groups)) % 2
    folds = make_folds(target, plan, groups)
    assert_each_row_is_held_out_once_per_repeat(folds, len(groups))
    for split in folds.splits():
        assert not set(groups[split.train_rows]) & set(groups[split.valid_rows])


def test_stratified_folds_hold_each_class_in_proportion():
    target = np.array(["rare"] * 10 + ["common"] * 40)
    for split in make_folds(target, FoldPlan(n_folds=5, n_repeats=2)).splits():
        assert (target[split.valid_rows] == "rare").sum() == 2


def test_the_seed_decides():
    target = np.arange(60) % 2
    digests = {make_folds(target, FoldPlan(seed=seed)).digest for seed in (0, 1, 2)}
    assert len(digests) == 3
    assert make_folds(target, FoldPlan(seed=1)).digest in digests


def test_a_repeat_of_one_seed_is_not_a_repeat_of_the_next():
    target = np.arange(60) % 2
    first = make_folds(target, FoldPlan(seed=0, n_repeats=3)).assignment
    second = make_folds(target, FoldPlan(seed=1, n_repeats=3)).assignment
    assert len({row.tobytes() for row in (*first, *second)}) == 6


def test_digest_tells_the_shape():
    assert Folds(np.array([[0, 1, 0, 1]])).digest != Folds(np.array([[0, 1], [0, 1]])).digest


def test_assignment_is_a_frozen_copy():
    given_rows = np.array([[0, 1, 1]], dtype=np.int16)
    folds = Folds(given_rows)
    given_rows[0, 0] = 1
    assert folds.assignment.tolist() == [[0, 1, 1]]
    assert folds.assignment.dtype == np.int16
    with pytest.raises(ValueError, match="read-only"):
        folds.assignment[0, 0] = 1


@pytest.mark.parametrize("assignment", [[0, 1], [[]], [[0, -2]]])
def test_an_assignment_that_is_none(assignment):
    with pytest.raises(FoldError, match="assignment must be"):
        Folds(np.array(assignment))


BY_TICKET = FoldPlan(n_folds=3, group="ticket")
FAULTS = {
    "no row": ([], FoldPlan(), None, "5 folds: found 0 training rows"),
    "fewer rows than folds": ([0, 1, 0], FoldPlan(), None, "found 3 training rows.*--folds 3"),
    "fewer groups than folds": (
        [0, 1] * 6, BY_TICKET, ["a", "b"] * 6, "found 2 groups of 'ticket', expected 3 or more"),
    "groups not given": ([0, 1] * 6, BY_TICKET, None, "'ticket', but none were given"),
    "groups not asked for": ([0, 1] * 6, FoldPlan(), ["a"] * 12, "but groups were given"),
    "groups of another table": ([0, 1] * 6, BY_TICKET, ["a"] * 5, "5 values, expected one for"),
    "missing group": (
        [0, 1] * 6, BY_TICKET, ["a", None, "b", "c"] * 3, r"missing in 3 training rows .*row 2\)"),
}  # fmt: skip


@pytest.mark.parametrize(("target", "plan", "groups", "wrong"), FAULTS.values(), ids=FAULTS.keys())
def test_rows_that_cannot_be_dealt(target, plan, groups, wrong):
    with pytest.raises(FoldError, match=wrong) as caught:
        make_folds(np.array(target, dtype=object), plan, groups)
    assert caught.value.exit_code == 3


def test_no_fold_is_left_empty_without_a_word():
    """Few, very unequal groups: scikit-learn leaves a fold empty, and says nothing."""
    sizes, n_ones = [10, 1, 24, 15, 11], [2, 0, 0, 15, 4]
    target = [int(i < n) for size, n in zip(sizes, n_ones, strict=True) for i in range(size)]
    groups = np.repeat(np.arange(5), sizes)
    plan = FoldPlan(n_folds=5, group="ticket")
    folds = make_folds(target, plan, groups)
    assert [len(split.valid_rows) > 0 for split in folds.splits()] == [True] * 5


def test_a_class_with_fewer_rows_than_folds_is_named():
    folds = make_folds([0] * 9 + [1] * 3, FoldPlan(), names=("apple", "medlar"))
    (warning,) = folds.warnings
    assert "class 'medlar' has 3 training rows, fewer than the 5 folds" in warning
    assert "folds.n_folds=3" in warning
    assert folds.n_folds == 5


def test_a_class_that_a_fold_s_training_rows_lack_is_named():
    plan = FoldPlan(n_folds=2, group="shop")
    folds = make_folds([0, 0, 0, 1], plan, ["a", "a", "b", "c"], names=("no", "yes"))
    assert any("class 'yes' is missing from the training rows" in w for w in folds.warnings)


DAYS = np.repeat(np.arange(20), 3)


@pytest.mark.parametrize("window", ["expanding", "sliding"])
def test_with_time_every_training_row_is_older_than_the_held_out_ones(window):
    order = np.random.default_rng(0).permutation(60)
    days = DAYS[order]
    folds = make_folds(np.zeros(60), FoldPlan(n_folds=4, time="day", window=window), time=days)
    sizes = []
    for split in folds.splits():
        assert days[split.train_rows].max() < days[split.valid_rows].min()
        sizes.append(len(split.train_rows))
    assert (sizes == [12, 24, 36, 48]) == (window == "expanding")
    assert (~folds.held_out).sum() == 12
    again = Folds.from_arrays(folds.arrays())
    for one, other in zip(folds.splits(), again.splits(), strict=True):
        assert one.train_rows.tolist() == other.train_rows.tolist()


def test_gap_and_purge_leave_rows_out():
    plan = FoldPlan(n_folds=4, time="day", gap=2.0)
    for split in make_folds(np.zeros(60), plan, time=DAYS).splits():
        assert DAYS[split.train_rows].max() <= DAYS[split.valid_rows].min() - 2
    groups = np.arange(60) % 7
    plan = FoldPlan(n_folds=2, time="day", group="shop", purge=True)
    with pytest.raises(FoldError, match=r"no row to train on.*folds\.purge"):
        make_folds(np.zeros(60), plan, groups, time=DAYS)
    groups = np.arange(60) // 2
    for split in make_folds(np.zeros(60), plan, groups, time=DAYS).splits():
        assert not set(groups[split.train_rows]) & set(groups[split.valid_rows])


def test_dates_are_times_and_a_missing_one_is_named():
    texts = pd.Series(pd.date_range("2024-01-01", periods=12).strftime("%Y-%m-%d"))
    plan = FoldPlan(n_folds=3, time="day", gap=1.0)
    first = next(make_folds(np.zeros(12), plan, time=texts).splits())
    assert first.train_rows.tolist() == [0, 1, 2]
    assert first.valid_rows.tolist() == [3, 4, 5]
    with pytest.raises(FoldError, match=r"'day' is missing or no date in 1 training rows.*row 3"):
        make_folds(np.zeros(12), plan, time=texts.where(texts.index != 2, "soon"))


def test_given_folds_and_a_single_split():
    given_folds = make_folds(np.zeros(4), FoldPlan(column="fold"), given=["b", "a", None, "a"])
    assert given_folds.assignment.tolist() == [[1, 0, -1, 0]]
    for share in (0.15, 0.2, 0.4, 0.7):
        (split,) = make_folds([0, 1] * 50, FoldPlan(test_share=share)).splits()
        assert len(split.valid_rows) == round(100 * share)
        assert len(split.train_rows) == 100 - round(100 * share)
    grouped = FoldPlan(test_share=0.3, group="shop")
    (split,) = make_folds([0, 1] * 50, grouped, np.arange(100) // 5).splits()
    assert len(split.valid_rows) == 30
    last = make_folds(np.zeros(60), FoldPlan(test_share=0.25, time="day"), time=DAYS)
    assert np.flatnonzero(last.held_out).tolist() == list(range(45, 60))


@pytest.mark.parametrize(
    "fields",
    [
        {"n_folds": 1},
        {"n_repeats": 0},
        {"seed": -1},
        {"folds": 5},
        {"column": "fold", "time": "day"},
        {"gap": 1.0},
        {"time": "day", "n_repeats": 2},
        {"time": "day", "purge": True},
    ],
)
def test_a_plan_that_is_none(fields):
    with pytest.raises(ValidationError):
        FoldPlan(**fields)


@pytest.mark.parametrize(("window", "n_rows"), [("expanding", 60), ("sliding", 12)])
def test_with_time_the_test_rows_are_predicted_by_a_training_on_the_newest_rows(window, n_rows):
    days = np.random.default_rng(0).permutation(60)
    folds = make_folds(np.zeros(60), FoldPlan(n_folds=4, time="day", window=window), time=days)
    assert folds.refit is not None
    assert sorted(days[folds.refit.train_rows]) == list(range(60 - n_rows, 60))
    assert len(folds.all_splits()) == 5 == len(list(folds.splits())) + 1
    again = Folds.from_arrays(folds.arrays())
    assert again.digest == folds.digest
    np.testing.assert_array_equal(again.refit.train_rows, folds.refit.train_rows)


def test_without_time_the_models_of_the_folds_predict_the_test_rows():
    folds = make_folds(np.zeros(60), FoldPlan(n_folds=4))
    assert folds.refit is None
    assert len(folds.all_splits()) == 4


def test_groups_on_both_sides_of_a_fold_by_time_are_named():
    shops = np.arange(60) % 5
    for purge, n_warnings in ((False, 1), (True, 0)):
        plan = FoldPlan(n_folds=2, time="day", group="shop", purge=purge)
        time = np.arange(60) if not purge else shops * 100 + np.arange(60)
        folds = make_folds(np.zeros(60), plan, shops, time=time)
        assert len(folds.warnings) == n_warnings
    apart = make_folds(
        np.zeros(60),
        FoldPlan(n_folds=2, time="day", group="shop"),
        shops // 5 * 0 + DAYS,
        time=DAYS,
    )
    assert not apart.warnings


def test_times_with_a_zone_are_times():
    zoned = pd.Series(pd.date_range("2024-03-30", periods=12, freq="h", tz="Europe/Berlin"))
    plan = FoldPlan(n_folds=3, time="hour")
    of_zoned = make_folds(np.zeros(12), plan, time=zoned)
    texts = zoned.map(lambda moment: moment.isoformat())
    np.testing.assert_array_equal(
        make_folds(np.zeros(12), plan, time=texts).assignment, of_zoned.assignment
    )
