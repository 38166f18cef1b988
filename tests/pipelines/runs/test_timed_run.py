"""Runs with a time limit: real stages of the toy, whose kept speeds are edited to force a plan."""

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path

import pytest

from models.estimators.sklearn_models import LogisticSettings
from pipelines.configuration.assignments import resolved
from pipelines.configuration.competition import SecondLevel
from pipelines.members.estimator import EstimatorMember
from pipelines.planning.clock import TimeLimit, TimeLimitError, TimeUpError
from pipelines.planning.kept_plan import PlanError, competition_of
from pipelines.planning.speeds import Book
from pipelines.runs import run as runs
from pipelines.runs import timed_run
from pipelines.runs.request import RunRequest
from pipelines.workspace.run_folders import describe
from pipelines.workspace.summary import BLEND
from submissions import ledger

AMPLE_S = 3000.0


def timed(competition, narrator, root, *bound, seconds=AMPLE_S, has_members=False):
    limit = TimeLimit(seconds, time.monotonic(), bound, has_members)
    asked = RunRequest(source="sample", track=False, root=root, limit=limit)
    return timed_run.run(competition, asked, narrator)


@pytest.fixture(scope="module")
def first(toy, narrator, tmp_path_factory):
    """A workspace in which everything fitted, and its run."""
    root = tmp_path_factory.mktemp("timed")
    return root, timed(toy, narrator, root)


@pytest.fixture
def go(first, tmp_path, narrator):
    """Runs a competition within a limit, in a copy of that workspace."""
    shutil.copytree(first[0], tmp_path, dirs_exist_ok=True)

    def run(competition, *bound, **limits):
        return timed(competition, narrator, tmp_path, *bound, **limits)

    return run


def whole(competition, root, narrator):
    return runs.run(competition, RunRequest(source="sample", track=False, root=root), narrator)


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def slow_down(root, factor):
    """As if this machine had been found to train so much more slowly."""
    path = root / "runs" / "speeds.json"
    book = Book.model_validate_json(path.read_text())
    for costs in book.machines.values():
        for key, kept in costs.items():
            if kept.member is not None:
                member = kept.member
                costs[key] = kept.model_copy(
                    update={
                        "member": member.model_copy(
                            update={
                                "round_s": factor * (member.round_s + 1e-3),
                                "replica_s": 0.0,
                                "shared_round_s": 0.0,
                            }
                        )
                    }
                )
    path.write_text(book.model_dump_json())


def member_seconds(root):
    """By what they were measured of, the seconds of members that are known."""
    book = Book.model_validate_json((root / "runs" / "speeds.json").read_text())
    known = [pair for costs in book.machines.values() for pair in costs.items()]
    return {key: kept.member.round_s for key, kept in known if kept.member is not None}


def test_where_everything_fits_the_bytes_are_those_without_a_limit(first, toy, tmp_path, narrator):
    _, made = first
    plain = whole(toy, tmp_path, narrator)
    assert made.submission_sha256 == plain.submission_sha256
    assert made.run[-6:] == plain.run[-6:]  # of the fingerprint
    assert (made.time.ended, made.time.left_out) == ("planned", ())
    assert 0 < made.time.within_s < AMPLE_S
    assert made.time.after_s > 0


def test_it_ends_with_one_csv_one_line_in_the_ledger_and_its_plan(first):
    root, made = first
    assert [p.name for p in (root / "submissions" / "toy").iterdir()] == [f"{made.run}.csv"]
    assert [p.name for p in (root / "runs" / "toy").glob("2*")] == [made.run]
    (entry,) = ledger.read(root / ledger.FILE)
    assert entry.run == made.run
    plan = describe(root / "runs" / "toy" / made.run)["plan"]
    assert plan["is_whole"]
    assert plan["planned_at_s"] + plan["seconds"] <= plan["limit_s"] == AMPLE_S
    assert {step["member"] for step in plan["done"]} == {"linear", "mlp", "trees"}


def test_the_first_submission_is_of_one_member_on_the_fewest_folds(first):
    root, made = first
    steps = describe(root / "runs" / "toy" / made.run)["plan"]["done"]
    assert [step["is_quick"] for step in steps] == [True, False, False, False]
    assert (steps[0]["n_folds"], steps[0]["n_repeats"], steps[0]["publishes"]) == (2, 1, True)
    assert made.time.n_steps >= 2


def test_the_seconds_of_all_submissions_are_counted(first):
    root, made = first
    assert {"start", "download", "preprocess", "plan", "ensemble"} <= set(made.spent)
    stored = json.loads((root / "runs" / "toy" / made.run / "summary.json").read_text())
    assert stored["time"]["within_s"] == made.time.within_s
    assert stored["seconds"] >= stored["time"]["within_s"]


def test_a_slow_machine_trains_less_and_the_plan_repeats_it_to_the_byte(
    go, toy, tmp_path, narrator
):
    slow_down(tmp_path, 3e3)
    made = go(toy, "folds.n_folds", "n_seeds", seconds=200.0)
    stored = describe(tmp_path / "runs" / "toy" / made.run)["configuration"]
    assert made.time.left_out or stored["folds"]["n_repeats"] < 2
    assert stored["folds"]["n_folds"] == 3  # bound, as the seeds are
    assert all(member["n_seeds"] == 2 for member in stored["members"] if member["name"] == "mlp")
    again = competition_of(toy, made.run, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    repeated = whole(again, elsewhere, narrator)
    assert repeated.submission_sha256 == made.submission_sha256
    assert sha(elsewhere / repeated.submission) == sha(tmp_path / made.submission)
    by_path = competition_of(toy, str(tmp_path / "runs" / "toy" / made.run / "run.json"), elsewhere)
    assert resolved(by_path) == resolved(again)


def test_a_limit_that_the_bound_members_exceed_is_one_line(go, toy, tmp_path):
    slow_down(tmp_path, 1e7)
    with pytest.raises(TimeLimitError, match=r"cheapest submission takes .* --time-limit \d+"):
        go(toy, seconds=600.0, has_members=True)


def is_time(submissions):
    folder = Path(submissions)
    return not (folder.parent / "unlimited").exists() and any(folder.glob("*.csv"))


@contextlib.contextmanager
def unlimited(root):
    """Within it nothing is interrupted; what it made is gone behind it, but for the speeds."""
    flag = root / "submissions" / "unlimited"
    flag.parent.mkdir(exist_ok=True)
    flag.touch()
    yield
    for folder in ("runs/toy", "submissions"):
        shutil.rmtree(root / folder)


class StoppedSettings(LogisticSettings):
    """A model whose training is interrupted once there is a submission, if that is wanted."""

    submissions: str
    fault: str

    def build(self, seed):
        if is_time(self.submissions):
            raise {"ctrl-c": KeyboardInterrupt, "time": TimeUpError}[self.fault]
        return LogisticSettings().build(seed)


@pytest.fixture(params=["ctrl-c", "time"])
def interrupted(request, toy, tmp_path):
    """The toy with a last member in whose training Ctrl-C, or the limit, comes."""
    folder = tmp_path / "submissions" / "toy"
    settings = StoppedSettings(submissions=str(folder), fault=request.param)
    last = EstimatorMember(name="last", encoder=toy.members[0].encoder, estimator=settings)
    return request.param, toy.model_copy(update={"members": (toy.members[2], last)})


def make_last_member_late(root):
    """The trees come first, and have a submission of their own."""
    path = root / "runs" / "speeds.json"
    book = Book.model_validate_json(path.read_text())
    for costs in book.machines.values():
        for key, kept in costs.items():
            if kept.member is not None and kept.member.n_side_by_side == 1:
                slow = kept.member.model_copy(update={"round_s": 60.0})
                costs[key] = kept.model_copy(update={"member": slow})
    path.write_text(book.model_dump_json())


def test_ctrl_c_and_the_limit_leave_the_best_so_far(interrupted, go, tmp_path):
    fault, competition = interrupted
    with unlimited(tmp_path):
        go(competition)  # for its speeds
    make_last_member_late(tmp_path)
    summary = go(competition)
    assert [line.name for line in summary.members] == ["trees"]
    assert summary.time.ended == ("interrupted" if fault == "ctrl-c" else "time")
    assert summary.time.left_out == ("last",)
    csv = tmp_path / summary.submission
    assert sha(csv) == summary.submission_sha256
    assert 0.5 < summary.cv <= 1
    assert (summary.time.after_s is None) == (fault == "ctrl-c")
    (entry,) = ledger.read(tmp_path / ledger.FILE)
    assert entry.run == summary.run


def test_where_the_second_level_has_no_time_the_members_are_blended(go, toy, tmp_path, narrator):
    """The first submission has one; behind it, time is up in the midst of each."""
    late = StoppedSettings(submissions=str(tmp_path / "submissions" / "toy"), fault="time")
    competition = toy.model_copy(update={"second_level": SecondLevel(stackers={"late": late})})
    with unlimited(tmp_path):
        go(competition)  # for its speeds
    make_last_member_late(tmp_path)
    summary = go(competition)
    assert {line.name for line in summary.members} == {member.name for member in toy.members}
    assert (summary.way, summary.time.ended) == (BLEND, "planned")
    stored = describe(tmp_path / "runs" / "toy" / summary.run)["configuration"]
    assert stored["second_level"]["stackers"] == {}
    again = competition_of(competition, summary.run, tmp_path)
    repeated = whole(again, tmp_path / "elsewhere", narrator)
    assert repeated.submission_sha256 == summary.submission_sha256


def test_time_that_is_up_while_speeds_are_measured_leaves_the_first_submission(
    interrupted, tmp_path, narrator
):
    fault, competition = interrupted
    summary = timed(competition, narrator, tmp_path)
    assert [line.name for line in summary.members] == ["trees"]
    assert summary.folds == "2 folds"
    assert summary.time.ended == ("interrupted" if fault == "ctrl-c" else "time")
    assert (tmp_path / summary.submission).is_file()


class OverrunSettings(StoppedSettings):
    """A model whose training takes long, until the limit ends it."""

    def build(self, seed):
        if is_time(self.submissions):
            time.sleep(0.8)
        return super().build(seed)


def test_a_training_that_the_limit_cut_off_is_known_to_take_longer(go, toy, tmp_path):
    folder = tmp_path / "submissions" / "toy"
    settings = OverrunSettings(submissions=str(folder), fault="time")
    last = EstimatorMember(name="last", encoder=toy.members[0].encoder, estimator=settings)
    competition = toy.model_copy(update={"members": (toy.members[2], last)})
    others = member_seconds(tmp_path)
    with unlimited(tmp_path):
        go(competition)
    ((key, before),) = [pair for pair in member_seconds(tmp_path).items() if pair[0] not in others]
    folder.mkdir(parents=True)
    (folder / "earlier.csv").touch()  # so that the first training of that member is cut off
    with pytest.raises(TimeLimitError, match="time was up before the first submission"):
        go(competition.model_copy(update={"members": (last,)}))
    assert member_seconds(tmp_path)[key] > 1.5 * before


def test_a_cluster_has_no_time_limit(toy, narrator, tmp_path):
    limit = TimeLimit(AMPLE_S, time.monotonic())
    asked = RunRequest(source="sample", track=False, root=tmp_path, limit=limit, on="ray")
    with pytest.raises(TimeLimitError, match=r"--time-limit .* leave --on out"):
        timed_run.run(toy, asked, narrator)
    assert not (tmp_path / "runs").exists()


def test_ctrl_c_before_the_first_submission_is_ctrl_c(go, toy):
    def fault(table):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(toy.model_copy(update={"features": fault}))


def test_a_plan_that_does_not_exist_or_is_another_competitions_is_one_line(first, toy):
    root, made = first
    with pytest.raises(PlanError, match=r"--plan nothing: no such run of toy"):
        competition_of(toy, "nothing", root)
    other = toy.model_copy(update={"name": "other"})
    folder = str(root / "runs" / "toy" / made.run)
    with pytest.raises(PlanError, match=r"found a run of toy, expected one of other"):
        competition_of(other, folder, root)
