"""Studies whose trials an executor trains, in rounds or one by one: which bytes may not change."""

from __future__ import annotations

import threading
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from models.executor import Local
from pipelines.tuning import places
from pipelines.tuning.optimise import run_study
from pipelines.tuning.places import PLACE, take
from pipelines.tuning.storage import open_storage
from pipelines.tuning.study import Study, Trial
from pipelines.tuning.trial_tasks import TrialTasks
from tests.pipelines.tuning.test_optimise import (
    bench,
    of_trees,
    plan,
    prepared,
    trees,
    tried,
)
from tests.unruly_executor import Unruly

__all__ = ["bench", "prepared", "trees"]
IN_ROUNDS = {"n_trials": 18, "rounds": 3}  # the third learns: ten trials are drawn at random


class Interrupted(Local):
    """Ctrl-C once so many trials have ended."""

    def __init__(self, n_trials):
        self.n_left = n_trials

    def run(self, tasks, hear=None, **options):
        for ended in super().run(tasks, hear, **options):
            if self.n_left == 0:
                raise KeyboardInterrupt
            self.n_left -= 1
            yield ended


@pytest.fixture(scope="module")
def in_rounds(bench, tmp_path_factory):
    """A study in rounds, in this process."""
    return run_study(plan(tmp_path_factory.mktemp("rounds"), **IN_ROUNDS), bench)


def in_places(study):
    return sorted(tried(study), key=str)


def test_rounds_learn_and_prune(in_rounds):
    assert len(in_rounds.trials) == 18
    assert {trial.state for trial in in_rounds.trials[:10]} == {"complete"}
    assert in_rounds.n_pruned > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_rounds_give_the_same_study_wherever_and_in_whatever_order_trials_end(
    bench, in_rounds, tmp_path, seed
):
    executor = Unruly(seed)
    study = run_study(plan(tmp_path, **IN_ROUNDS), bench, executor=executor)
    assert tried(study) == tried(in_rounds)
    assert study.best.values == in_rounds.best.values
    assert max(executor.attempts) > 1  # workers were lost, and no report was heard twice


@pytest.mark.parametrize("n_ended", [1, 8, 14])
def test_rounds_that_were_interrupted_go_on_to_the_same_study(bench, in_rounds, tmp_path, n_ended):
    with pytest.raises(KeyboardInterrupt):
        run_study(plan(tmp_path, **IN_ROUNDS), bench, executor=Interrupted(n_ended))
    study = run_study(plan(tmp_path, **IN_ROUNDS), bench)
    assert in_places(study) == in_places(in_rounds)


def test_members_that_go_fold_by_fold_do_too(trees, tmp_path):
    here = run_study(of_trees(tmp_path / "here", n_trials=14, rounds=2), trees)
    there = run_study(
        of_trees(tmp_path / "there", n_trials=14, rounds=2), trees, executor=Unruly(3)
    )
    assert tried(there) == tried(here)


def test_what_has_ended_of_a_round_is_heard_at_once(bench, tmp_path):
    heard = []
    with pytest.raises(KeyboardInterrupt):
        run_study(plan(tmp_path, **IN_ROUNDS), bench, heard.append, executor=Interrupted(3))
    assert [len(study.trials) for study in heard] == [0, 1, 2, 3]
    assert heard[-1].best is not None


class Joined(Local):
    """Begins the same study a second time, in the middle of its first round."""

    def __init__(self, begin):
        self.begin, self.second = begin, None

    def run(self, tasks, hear=None, **options):
        for ended in super().run(tasks, hear, **options):
            yield ended
            if self.second is None:
                self.second = threading.Thread(target=self.begin)
                self.second.start()
                self.second.join(timeout=2)  # nothing is left for it to do


def test_a_second_command_lets_a_round_end_that_is_under_way(bench, in_rounds, tmp_path):
    """Meanwhile it hears of the trials that end."""
    found, heard = [], []

    def begin():
        found.append(run_study(plan(tmp_path, **IN_ROUNDS), bench, heard.append))

    executor = Joined(begin)
    study = run_study(plan(tmp_path, **IN_ROUNDS), bench, executor=executor)
    executor.second.join()
    assert in_places(study) == in_places(found[0]) == in_places(in_rounds)
    assert study.best.values == in_rounds.best.values
    assert len(heard[0].trials) == 1


def test_no_trial_takes_a_place_of_the_next_round(tmp_path):
    """Another command's trial, in the first place, was interrupted while this one was asked for."""
    study = optuna.create_study(storage=open_storage(None, tmp_path))
    for place in range(6):
        study.ask().set_user_attr(PLACE, place)
    study.tell(0, state=optuna.trial.TrialState.FAIL)
    trial = study.ask()
    assert take(trial, study.get_trials, after=4, below=6) is None
    assert take(trial, study.get_trials, after=-1, below=6) == 0


def test_a_trial_that_was_freed_while_it_was_asked_for_is_asked_for_again(
    bench, tmp_path, monkeypatch
):
    """Another worker takes one for dead that waits for its database."""
    freed = []

    def take_late(trial, read, **where):
        if not freed:
            freed.append(trial.number)
            trial.study.tell(trial, state=TrialState.FAIL)
        return places.take(trial, read, **where)

    monkeypatch.setattr("pipelines.tuning.batch.take", take_late)
    study = run_study(plan(tmp_path, n_trials=4), bench)
    assert freed == [0]
    assert [trial.state for trial in study.trials] == ["complete"] * 4


def test_of_equal_trials_the_first_in_place_is_the_best():
    first, second = (Trial(n, "complete", 0.5, {}, (), 1.0, place=9 - n) for n in (1, 2))
    assert Study("s", greater_is_better=True, trials=(first, second)).best is second


@pytest.mark.parametrize(("n_threads", "needs"), [(0, 1), (3, 3)])
def test_trials_take_as_many_threads_as_their_trees_name(trees, n_threads, needs):
    named = trees.member.trees.model_copy(update={"n_threads": n_threads})
    member = trees.member.model_copy(update={"trees": named})
    tasks = TrialTasks(replace(trees, member=member), Local())
    assert tasks.needs.threads == needs


def test_other_sizes_of_a_round_are_other_studies(bench, in_rounds, tmp_path):
    study = run_study(plan(tmp_path, n_trials=18, rounds=18), bench)
    assert tried(study)[:10] == tried(in_rounds)[:10]
    assert tried(study) != tried(in_rounds)


def test_trials_one_by_one_are_those_asked_for_each_with_the_score_that_it_has_alone(
    bench, tmp_path
):
    study = run_study(plan(tmp_path, n_trials=7, pruner="none"), bench, executor=Unruly(5))
    assert len(study.trials) == 7
    alone = bench.score([study.trials[3].values], lambda *_: False)
    assert study.trials[3].score == alone[0]
    assert len({str(trial.values) for trial in study.trials}) == 7
