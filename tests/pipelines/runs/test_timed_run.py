"""Runs with a time limit: real stages of the toy, whose kept speeds are edited to force a plan."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from models.estimators.sklearn_models import LogisticSettings
from pipelines.members.estimator import EstimatorMember
from pipelines.planning.clock import TimeLimit, TimeLimitError, TimeUpError
from pipelines.planning.kept_plan import PlanError, competition_of
from pipelines.planning.speeds import Book
from pipelines.runs import run as runs
from pipelines.runs import timed_run
from pipelines.runs.run import RunRequest
from pipelines.workspace.run_folders import describe
from submissions import ledger

AMPLE_S = 3000.0


@pytest.fixture
def go(tmp_path, narrator):
    """Runs a competition within a limit, in the test's own workspace."""

    def run(competition, seconds=AMPLE_S, *bound, root=tmp_path, has_members=False, **request):
        limit = TimeLimit(seconds, time.monotonic(), bound, has_members)
        asked = RunRequest(source="sample", track=False, root=root, limit=limit, **request)
        return timed_run.run(competition, asked, narrator)

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


def test_where_everything_fits_the_bytes_are_those_without_a_limit(go, toy, tmp_path, narrator):
    timed = go(toy)
    plain = whole(toy, tmp_path / "plain", narrator)
    assert timed.submission_sha256 == plain.submission_sha256
    assert timed.run.endswith(plain.run[-6:])  # the same fingerprint
    assert (timed.time.ended, timed.time.left_out) == ("planned", ())
    assert 0 < timed.time.within_s < AMPLE_S
    assert timed.time.after_s > 0


def test_it_ends_with_one_csv_one_line_in_the_ledger_and_its_plan(go, toy, tmp_path):
    summary = go(toy)
    assert [p.name for p in (tmp_path / "submissions" / "toy").iterdir()] == [f"{summary.run}.csv"]
    assert [p.name for p in (tmp_path / "runs" / "toy").glob("2*")] == [summary.run]
    (entry,) = ledger.read(tmp_path / "submissions" / "ledger.jsonl")
    assert entry.run == summary.run
    plan = describe(tmp_path / "runs" / "toy" / summary.run)["plan"]
    assert plan["is_whole"]
    assert plan["planned_at_s"] + plan["seconds"] <= plan["limit_s"] == AMPLE_S
    assert {step["member"] for step in plan["done"]} == {"linear", "mlp", "trees"}


def test_a_slow_machine_trains_less_and_the_plan_repeats_it_to_the_byte(
    go, toy, tmp_path, narrator
):
    go(toy)
    slow_down(tmp_path, 3e3)
    made = go(toy, 200.0)
    stored = describe(tmp_path / "runs" / "toy" / made.run)["configuration"]
    assert made.time.left_out or stored["folds"]["n_folds"] < 3 or made.n_splits < 6
    again = competition_of(toy, made.run, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    repeated = whole(again, elsewhere, narrator)
    assert repeated.submission_sha256 == made.submission_sha256
    assert sha(elsewhere / repeated.submission) == sha(tmp_path / made.submission)
    by_path = competition_of(toy, str(tmp_path / "runs" / "toy" / made.run / "run.json"), elsewhere)
    assert by_path == again


def test_bound_settings_stay_as_they_were_typed(go, toy, tmp_path):
    go(toy)
    slow_down(tmp_path, 3e3)
    made = go(toy, 200.0, "folds.n_folds", "n_seeds")
    stored = describe(tmp_path / "runs" / "toy" / made.run)["configuration"]
    assert stored["folds"]["n_folds"] == 3
    assert all(member["n_seeds"] == 2 for member in stored["members"] if member["name"] == "mlp")


def test_a_limit_that_the_bound_members_exceed_is_one_line(go, toy, tmp_path):
    go(toy)
    slow_down(tmp_path, 1e7)
    with pytest.raises(TimeLimitError, match=r"cheapest submission takes .* --time-limit \d+"):
        go(toy, 600.0, has_members=True)


class StoppedSettings(LogisticSettings):
    """A model whose training is interrupted once there is a submission."""

    submissions: str
    fault: str

    def build(self, seed):
        if any(Path(self.submissions).glob("*.csv")):
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
                slow = kept.member.model_copy(update={"round_s": 20.0})
                costs[key] = kept.model_copy(update={"member": slow})
    path.write_text(book.model_dump_json())


def test_ctrl_c_and_the_limit_leave_the_best_so_far(interrupted, go, tmp_path):
    fault, competition = interrupted
    with pytest.raises((KeyboardInterrupt, TimeLimitError)):
        go(competition, AMPLE_S)  # measures, then is interrupted or makes no second submission
        raise KeyboardInterrupt
    for csv in (tmp_path / "submissions" / "toy").glob("*.csv"):
        csv.unlink()
    make_last_member_late(tmp_path)
    summary = go(competition, AMPLE_S)
    assert [line.name for line in summary.members] == ["trees"]
    assert summary.time.ended == ("interrupted" if fault == "ctrl-c" else "time")
    assert summary.time.left_out == ("last",)
    csv = tmp_path / summary.submission
    assert sha(csv) == summary.submission_sha256
    assert 0.5 < summary.cv <= 1
    assert (summary.time.after_s is None) == (fault == "ctrl-c")
    entries = ledger.read(tmp_path / "submissions" / "ledger.jsonl")
    assert entries[-1].run == summary.run


def test_ctrl_c_before_the_first_submission_is_ctrl_c(go, toy):
    def fault(table):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(toy.model_copy(update={"features": fault}))


def test_a_plan_that_does_not_exist_or_is_another_competitions_is_one_line(toy, go, tmp_path):
    with pytest.raises(PlanError, match=r"--plan nothing: no such run of toy"):
        competition_of(toy, "nothing", tmp_path)
    summary = go(toy)
    other = toy.model_copy(update={"name": "other"})
    folder = str(tmp_path / "runs" / "toy" / summary.run)
    with pytest.raises(PlanError, match=r"found a run of toy, expected one of other"):
        competition_of(other, folder, tmp_path)


def test_the_seconds_of_all_submissions_are_counted(go, toy, tmp_path):
    summary = go(toy)
    assert {"start", "download", "preprocess", "plan", "ensemble"} <= set(summary.spent)
    stored = json.loads((tmp_path / "runs" / "toy" / summary.run / "summary.json").read_text())
    assert stored["time"]["within_s"] == summary.time.within_s
    assert stored["seconds"] >= stored["time"]["within_s"]
