"""What a run costs on this machine: measured on a part of the rows, and kept."""

import numpy as np
import pytest

from features.folds import NEVER
from pipelines.planning.measure import Measuring
from pipelines.planning.probe import _at
from pipelines.planning.sample import first_rows, part_of
from pipelines.planning.speeds import Speeds
from pipelines.raw_files.sources import choose_source
from pipelines.stages.dataset import encode
from pipelines.stages.download import download
from pipelines.stages.preprocess import prepare


@pytest.fixture
def prepared(toy, tmp_path):
    return prepare(toy, download(toy, choose_source("sample", toy), tmp_path / "data"))


def measuring(toy, prepared, tmp_path, folder):
    speeds = Speeds(tmp_path / "runs" / "speeds.json")
    (tmp_path / folder).mkdir()
    return Measuring(toy, prepared, "data", "cpu", speeds, tmp_path / folder)


def test_everything_is_measured_once_and_then_known(toy, prepared, tmp_path):
    first = measuring(toy, prepared, tmp_path, "first")
    costs = first.costs(1.0, lambda _: None)
    assert set(costs.encoders) == {"scaled", "unscaled"}
    assert set(costs.members) == {"linear", "mlp", "trees"}
    assert all(cost.split_s > 0 for cost in costs.encoders.values())
    assert all(cost.round_s > 0 for cost in costs.members.values())
    assert min(costs.ensemble_s, costs.publish_s) > 0
    assert first.speeds.n_measured == 6
    first.speeds.write()
    second = measuring(toy, prepared, tmp_path, "second")
    second.costs(1.0, lambda _: None)
    assert second.speeds.n_measured == 0
    assert list((tmp_path / "second").iterdir()) == []


def test_length_and_seeds_do_not_change_what_is_known(toy, prepared, tmp_path):
    one = measuring(toy, prepared, tmp_path, "one")
    mlp = toy.members[1]
    longer = mlp.of_length(50).model_copy(update={"n_seeds": 7})
    assert one.key_of(longer) == one.key_of(mlp)
    assert one.key_of(toy.members[0]) != one.key_of(mlp)


def test_a_training_that_took_longer_is_remembered(toy, prepared, tmp_path):
    one = measuring(toy, prepared, tmp_path, "one")
    cost = one.costs(1.0, lambda _: None).members["trees"]
    before = cost.round_s
    one.remember(toy.members[2], cost, 3.0)
    one.speeds.write()
    again = measuring(toy, prepared, tmp_path, "again")
    after = again.costs(1.0, lambda _: None).members["trees"].round_s
    assert 1.2 * before < after  # the machine's own pace moves both


def test_a_damaged_file_of_speeds_is_passed_over(tmp_path):
    path = tmp_path / "speeds.json"
    path.write_text("{")
    with pytest.warns(UserWarning, match=r"speeds\.json"):
        assert Speeds(path).of({"kind": "member"}) is None


def test_a_part_of_the_rows_keeps_their_order_of_folds(prepared):
    part = part_of(prepared, 60, 2)
    assert len(part.train) == len(part.target) == 60
    assert part.folds.assignment.shape == (1, 60)
    assert set(part.folds.assignment[0]) == {NEVER, 0, 1}
    assert list(part.train.index) == list(range(60))
    assert len(part.test) == 30


def test_the_first_rows_of_a_dataset_are_a_dataset(toy, prepared):
    whole = encode(part_of(prepared, 80, 2), toy.members[0].encoder)
    few = first_rows(whole, 40)
    assert len(few.target) == 40
    assert [len(view.split.train_rows) for view in few.views] == [
        int((few.folds.assignment[0] != fold).sum()) for fold in (0, 1)
    ]
    assert np.array_equal(few.views[0].train["x_num"], whole.views[0].train["x_num"][:40])


def test_seconds_follow_the_square_of_the_rows_where_two_measurements_say_so():
    assert _at(1000, [(100, 1.0), (200, 4.0)]) == pytest.approx(100.0)
    assert _at(1000, [(100, 1.0), (200, 2.0)]) == pytest.approx(10.0)
    assert _at(1000, [(500, 2.0)]) == pytest.approx(4.0)
    assert _at(1000, [(100, 2.0), (200, 2.0)]) == pytest.approx(10.0)
