"""Of the submissions of a run with a time limit the best is kept, beyond the noise of its score."""

import time
from types import SimpleNamespace

import pytest

from models.estimators.sklearn_models import LogisticSettings
from pipelines.members.estimator import EstimatorMember
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.runs.submissions_so_far import Made, Submissions


def made(cv, *, cv_std=0.03, n_splits=10, greater=True, is_asked=False):
    competition = SimpleNamespace(greater_is_better=greater)
    summary = SimpleNamespace(cv=cv, cv_std=cv_std, n_splits=n_splits)
    return Made(competition, summary, is_asked)


def test_a_later_one_replaces_an_earlier_one_unless_it_is_worse_beyond_the_noise():
    first = made(0.80)  # its mean is known to 0.01
    assert made(0.81).replaces(first)
    assert made(0.79).replaces(first)
    assert not made(0.78).replaces(first)
    assert made(0.78, n_splits=2).replaces(first)  # two folds say less


def test_losses_are_compared_the_other_way_round():
    first = made(0.5365, cv_std=0.005, n_splits=3, greater=False)
    assert not made(0.5508, cv_std=0.003, n_splits=2, greater=False).replaces(first)
    assert made(0.4721, cv_std=0.003, n_splits=2, greater=False).replaces(first)


def test_what_was_asked_for_replaces_anything_else():
    assert made(0.5, is_asked=True).replaces(made(0.9))
    assert not made(0.9).replaces(made(0.5, is_asked=True))
    assert not made(0.5, is_asked=True).replaces(made(0.9, is_asked=True))


def test_one_split_has_no_noise_to_hide_behind():
    assert not made(0.79, cv_std=0.0, n_splits=1).replaces(made(0.80, cv_std=0.0, n_splits=1))


class BlindSettings(LogisticSettings):
    """Learns nothing, however long."""

    C: float = 1e-9


@pytest.fixture
def submissions(toy, narrator, tmp_path):
    out = tmp_path / "best.csv"
    asked = RunRequest(source="sample", device="cpu", track=False, root=tmp_path, out=out)
    return Submissions(runs.begin(toy, asked, narrator, start=time.perf_counter()), narrator)


def csvs(root):
    return [path.stem for path in (root / "submissions" / "toy").iterdir()]


def test_a_worse_submission_leaves_the_better_one_where_it_was(submissions, toy, tmp_path):
    good = toy.model_copy(update={"members": toy.members[:1]})
    blind = EstimatorMember(name="blind", encoder=toy.members[0].encoder, estimator=BlindSettings())
    worse = toy.model_copy(update={"members": (blind,)})
    submissions.make(good)
    best = submissions.best
    content = (tmp_path / "best.csv").read_bytes()
    submissions.make(worse)
    assert submissions.last.summary.cv < best.summary.cv - 0.1
    assert submissions.best is best
    assert csvs(tmp_path) == [best.summary.run]
    assert (tmp_path / "best.csv").read_bytes() == content
    submissions.make(worse, is_asked=True)
    assert submissions.best is submissions.last
    assert csvs(tmp_path) == [submissions.last.summary.run]
    assert (tmp_path / "best.csv").read_bytes() != content
