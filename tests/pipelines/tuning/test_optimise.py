"""Studies of the toy's members: what is tried, what is kept, and what a kill leaves."""

import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import optuna
import pytest

from pipelines.configuration.search_space import Choice, Real, Whole
from pipelines.raw_files.sources import choose_source
from pipelines.stages import dataset, preprocess
from pipelines.stages.download import download
from pipelines.tuning import storage as storages
from pipelines.tuning.heartbeat import Reaper
from pipelines.tuning.journal import JournalFile
from pipelines.tuning.optimise import (
    StudyOptions,
    StudyPlan,
    read_study,
    run_study,
)
from pipelines.tuning.proposals import N_STARTUP
from pipelines.tuning.snapshot import WORKER
from pipelines.tuning.storage import JOURNAL, StorageError
from pipelines.tuning.trials import Bench
from pipelines.workspace.stored import DamagedFileError

SPACE = {
    "train.lr": Real(low=1e-4, high=1.0, log=True),
    "train.weight_decay": Real(low=0.0, high=0.1),
    "model.dropout": Real(low=0.0, high=0.5),
    "model.hidden": Choice(values=((4,), (8,), (4, 4))),
}
DEFAULTS = {
    "train.lr": 0.02,
    "train.weight_decay": 0.0,
    "model.dropout": 0.0,
    "model.hidden": (8,),
}
LEAVES = {
    "trees.num_leaves": Whole(low=2, high=16),
    "trees.learning_rate": Real(low=1e-4, high=1.0, log=True),  # ten trees at 1e-4 know nothing
}


@pytest.fixture(scope="module")
def prepared(toy, tmp_path_factory):
    root = tmp_path_factory.mktemp("tuning")
    return preprocess.prepare(toy, download(toy, choose_source("sample", toy), root / "data"))


@pytest.fixture(scope="module")
def bench(toy, prepared):
    return make_bench(toy, prepared, "mlp", SPACE)


@pytest.fixture(scope="module")
def trees(toy, prepared):
    return make_bench(toy, prepared, "trees", LEAVES)


def make_bench(toy, prepared, name, space):
    (member,) = (m.model_copy(update={"search": space}) for m in toy.members if m.name == name)
    return Bench(toy, member, dataset.encode(prepared, member.encoder), 1, "cpu")


def plan(folder, **changes):
    """A study of the network, unless it is changed."""
    names = {field.name for field in fields(StudyOptions)} & changes.keys()
    options = StudyOptions(**({"n_trials": 16} | {name: changes.pop(name) for name in names}))
    first = StudyPlan("toy-mlp", folder, SPACE, DEFAULTS, greater_is_better=True, options=options)
    return replace(first, **changes)


def of_trees(folder, **changes):
    return plan(folder, space=LEAVES, defaults={}, pruner="wilcoxon", **changes)


@pytest.fixture(scope="module")
def whole(bench, tmp_path_factory):
    """A study that nobody interrupted."""
    return run_study(plan(tmp_path_factory.mktemp("whole")), bench)


def tried(study):
    """What was tried and what came of it; not how long it took, nor the number."""
    return [(t.state, t.score, t.values, t.curve) for t in study.trials]


def test_the_defaults_come_first_and_the_best_is_found(whole):
    assert whole.trials[0].values == DEFAULTS
    assert len(whole.trials) == 16
    best = max(t.score for t in whole.trials if t.state == "complete")
    assert whole.best.score == best > whole.trials[0].score
    assert set(whole.importance) == set(SPACE)
    assert sum(whole.importance.values()) == pytest.approx(1)


def test_the_score_after_each_epoch_is_that_of_all_folds(whole, bench):
    trial = whole.trials[0]
    assert [step for step, _ in trial.curve] == [12, 25, 38, 50, 62, 75, 88, 100]
    assert trial.curve[-1][1] == trial.score
    # 90 rows, 6 splits of 15 to 30 rows: a mean of one fold alone would be a multiple of 1/30.
    assert len(bench.dataset.views) == 6


def test_hopeless_trials_are_pruned_before_their_end(whole):
    pruned = [trial for trial in whole.trials if trial.state == "pruned"]
    assert pruned
    assert all(30 <= trial.curve[-1][0] < 100 for trial in pruned)
    assert all(trial.number >= N_STARTUP for trial in pruned)


@pytest.mark.parametrize("pruner", ["hyperband", "none"])
def test_other_pruners(bench, tmp_path, pruner):
    study = run_study(plan(tmp_path, pruner=pruner, n_trials=13), bench)
    assert len(study.trials) == 13
    assert (study.n_pruned > 0) == (pruner == "hyperband")


def test_one_seed_gives_the_same_trials_and_another_one_others(whole, bench, tmp_path):
    again = run_study(plan(tmp_path / "again", n_trials=12), bench)
    assert tried(again) == tried(whole)[:12]
    other = run_study(plan(tmp_path / "other", seed=1, n_trials=3), bench)
    assert other.trials[1].values != whole.trials[1].values


def test_trials_in_one_stack_end_as_they_would_alone(whole, bench, tmp_path):
    stacked = run_study(plan(tmp_path, n_trials=8, at_once=4), bench)
    for first in (0, 4):
        batch = stacked.trials[first : first + 4]
        assert len({trial.values["model.hidden"] for trial in batch}) == 1
        assert len({trial.values["train.lr"] for trial in batch}) == 4
        assert len({trial.values["model.dropout"] for trial in batch}) == 4
        alone = bench.score([batch[2].values], lambda *_: False)
        assert alone == [batch[2].score]
    assert bench.replica_keys == ("train.lr", "train.weight_decay", "model.dropout")
    assert stacked.trials[0].score == whole.trials[0].score


def test_one_stopped_trial_leaves_the_others_as_they_were(bench):
    three = [DEFAULTS | {"train.lr": lr} for lr in (0.01, 0.03, 0.1)]
    undisturbed = bench.score(three, lambda *_: False)
    disturbed = bench.score(three, lambda trial, step, _: trial == 1 and step > 30)
    assert disturbed == [undisturbed[0], None, undisturbed[2]]


def test_a_diverged_trial_is_kept_as_pruned(bench, tmp_path):
    space = {"train.lr": Choice(values=(1e30,)), "train.weight_decay": Choice(values=(1e30,))}
    only = replace(bench, member=bench.member.model_copy(update={"search": space}))
    study = run_study(plan(tmp_path, space=space, defaults={}, n_trials=2), only)
    assert [trial.state for trial in study.trials] == ["pruned", "pruned"]
    assert study.best is None


def test_trees_are_reported_fold_by_fold(trees, tmp_path):
    message = []

    def note(_, step, score):
        message.append((step, score))
        return False

    (score,) = trees.score([{"trees.num_leaves": 4}], note)
    assert [step for step, _ in message] == list(range(6))
    assert score == pytest.approx(sum(score for _, score in message) / 6)


def test_trees_are_pruned_by_pairs_of_folds(trees, tmp_path):
    study = run_study(of_trees(tmp_path, n_trials=14), trees)
    pruned = [trial for trial in study.trials if trial.state == "pruned"]
    assert pruned
    assert all(4 <= len(trial.curve) < 6 for trial in pruned)


def test_the_same_plan_goes_on_and_a_finished_study_has_nothing_to_do(whole, bench, tmp_path):
    run_study(plan(tmp_path, n_trials=5), bench)
    more = run_study(plan(tmp_path, n_trials=12), bench)
    assert tried(more) == tried(whole)[:12]
    trained = replace(bench, dataset=None)  # breaks if it is asked to train
    assert tried(run_study(plan(tmp_path, n_trials=12), trained)) == tried(more)


def test_no_time_begins_no_trial(bench, tmp_path):
    assert run_study(plan(tmp_path, time_limit_s=0.0), bench).trials == ()


def test_ctrl_c_keeps_what_has_ended_and_marks_the_rest_failed(whole, bench, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_study(plan(tmp_path, at_once=1), _interrupted_in(bench, trial=4))
    left = read_study(plan(tmp_path))
    assert (len(left.trials), left.n_failed) == (4, 1)
    more = run_study(plan(tmp_path, n_trials=12), bench)
    assert tried(more) == tried(whole)[:12]
    assert not list((tmp_path / "workers").iterdir())


def _interrupted_in(bench, *, trial):
    """A bench at which somebody types Ctrl-C in the middle of that trial."""

    class Interrupted(Bench):
        n_begun = 0

        def score(self, trials, tell):
            Interrupted.n_begun += 1

            def tell_or_stop(at, step, score):
                if Interrupted.n_begun == trial + 1 and step > 40:
                    raise KeyboardInterrupt
                return tell(at, step, score)

            return super().score(trials, tell_or_stop)

    return Interrupted(*fields_of(bench))


def fields_of(bench):
    return [getattr(bench, field.name) for field in fields(bench)]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from conftest import make_toy
import test_optimise
from pipelines.raw_files.sources import choose_source
from pipelines.stages import preprocess
from pipelines.stages.download import download
from pipelines.tuning.optimise import run_study

root = Path(sys.argv[3])
toy = make_toy()
prepared = preprocess.prepare(toy, download(toy, choose_source("sample", toy), root / "data"))
bench = test_optimise.make_bench(toy, prepared, "mlp", test_optimise.SPACE)

class Killed(type(bench)):
    n_begun = 0
    def score(self, trials, tell):
        Killed.n_begun += 1
        def tell_or_die(at, step, score):
            if Killed.n_begun == 5 and step > 40:
                os.kill(os.getpid(), signal.SIGKILL)
            return tell(at, step, score)
        return super().score(trials, tell_or_die)

run_study(test_optimise.plan(root), Killed(*test_optimise.fields_of(bench)))
"""


@pytest.mark.slow
def test_a_killed_study_loses_no_finished_trial_and_goes_on_with_the_same_ones(
    whole, bench, tmp_path
):
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED, str(here.parents[1]), str(here), str(tmp_path)]
    killed = subprocess.run(command, env=os.environ, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = read_study(plan(tmp_path))
    assert (len(left.trials), left.n_failed) == (4, 0)
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"op_code":6,"trial_')  # as if it had been killed while it wrote
    more = run_study(plan(tmp_path, n_trials=12), bench)
    assert tried(more) == tried(whole)[:12]
    assert (more.n_failed, more.trials[4].number) == (1, 5)


def test_a_living_workers_trial_is_left_alone(bench, tmp_path):
    def look(_):
        if states:
            return
        storage = storages.open_storage(None, tmp_path)
        study = optuna.load_study(study_name="toy-mlp", storage=storage)
        trial = study.ask()
        trial.set_user_attr(WORKER, next((tmp_path / "workers").iterdir()).name)
        Reaper(study, storage, tmp_path).free()
        states.append(study.trials[trial.number].state)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)

    states = []
    run_study(plan(tmp_path, n_trials=1), bench, look)
    assert states == [optuna.trial.TrialState.RUNNING]


def test_workers_on_one_database_share_a_study(bench, tmp_path):
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    run_study(plan(tmp_path / "here", storage=storage, n_trials=3), bench)
    both = run_study(plan(tmp_path / "there", storage=storage, n_trials=6), bench)
    assert len(both.trials) == 6
    assert len({trial.values["train.lr"] for trial in both.trials}) == 6


@pytest.mark.parametrize(
    "address",
    ["nonsense", "sqlite:////proc/none/studies.db", "postgresql+nodriver://u:secret@h/d"],
)
def test_a_storage_that_cannot_be_opened_is_reported_without_its_password(bench, tmp_path, address):
    with pytest.raises(StorageError, match="cannot be opened") as caught:
        run_study(plan(tmp_path, storage=address), bench)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("not json", "no JSON in line 2"),
        ("[" * 100_000, "no JSON in line 2"),
        ("[]", "a list in line 2"),
        ('{"op_code": 99}', "what is no study"),
        ('{"op_code": 4}', "what is no study"),
        ("{}", "what is no study"),
    ],
)
def test_a_damaged_line_of_a_journal_is_told_with_its_path(bench, tmp_path, line, found):
    run_study(plan(tmp_path, n_trials=2), bench)
    journal = tmp_path / JOURNAL
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], line, *lines[2:], ""]))
    with pytest.raises(DamagedFileError, match=found) as caught:
        run_study(plan(tmp_path, n_trials=3), bench)
    assert f"begin the study again: mv {journal} {journal}.old" in str(caught.value)


def test_what_is_no_file_in_the_place_of_a_journal_is_told(tmp_path):
    (tmp_path / JOURNAL).symlink_to("/dev/null")
    with pytest.raises(DamagedFileError, match="no ordinary file"):
        storages.open_storage(None, tmp_path)


def test_a_torn_line_is_taken_away_before_the_next_one(tmp_path):
    path = tmp_path / "journal.log"
    journal = JournalFile(path)
    journal.append_logs([{"a": 1}, {"b": 2}])
    with path.open("a") as file:
        file.write('{"c"')
    assert list(journal.read_logs(1)) == [{"b": 2}]
    JournalFile(path).append_logs([{"d": 4}])
    assert list(journal.read_logs(2)) == [{"d": 4}]
    assert path.read_text() == '{"a":1}\n{"b":2}\n{"d":4}\n'
