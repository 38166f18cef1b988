"""`foldwise tune` from the files to the tuned values, with a real MLflow store and figures."""

import contextlib
import io
import json
import sqlite3
import tomllib
from dataclasses import replace

import pytest
from rich.console import Console

from pipelines.commands import app
from pipelines.configuration import tuned_values
from pipelines.configuration.search_space import Choice, Real
from pipelines.console import Narrator
from pipelines.runs import run as runs
from pipelines.runs import summary_page as run_page
from pipelines.stages import preprocess
from pipelines.tracking import outbox
from pipelines.tracking.background_writer import StudyWriter
from pipelines.tracking.stores import local_store
from pipelines.tuning import tune as tuning
from pipelines.tuning.optimise import StudyOptions
from pipelines.tuning.page import show
from pipelines.tuning.request import TuneError

pytestmark = [
    # mlflow's own, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SPACE = {
    "train.lr": Real(low=1e-3, high=0.3, log=True),
    "model.hidden": Choice(values=((4,), (8,))),
}


@pytest.fixture(scope="module")
def searched(toy):
    """The toy with a search space for its mlp, and tried no longer than needed."""
    linear, mlp, trees = toy.members
    members = (linear, mlp.model_copy(update={"search": SPACE}), trees)
    return toy.model_copy(update={"members": members})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("tune")


@pytest.fixture(scope="module")
def done(searched, root, recorder):
    """A study of twelve trials, told on a console that keeps what it was told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        request = tuning.TuneRequest(
            study=StudyOptions(n_trials=12, at_once=4), source="sample", root=root
        )
        (made,) = tuning.tune(searched, request, Narrator(recorder))
        show(made, recorder)
    return made


@pytest.fixture(scope="module")
def recorder():
    return Console(file=io.StringIO(), width=140)


@pytest.fixture(scope="module")
def page(done, recorder):
    return recorder.file.getvalue()


def test_the_best_values_stand_in_the_file_beside_the_study(done, root):
    message = tomllib.loads((root / "studies" / "toy" / "mlp" / "tuned.toml").read_text())
    assert message["study"]["score"] == done.best.score
    assert message["values"]["train"]["lr"] == done.best.values["train.lr"]
    assert message["values"]["model"]["hidden"] == list(done.best.values["model.hidden"])


def test_the_tuning_folds_are_not_those_of_a_run(searched, root, done):
    folds = {
        path.parent.parent.name.rpartition("-")[2]: preprocess.load(path).folds
        for path in (root / "runs" / "toy").glob("tune-*/stages/preprocess")
    }
    assert set(folds) == {"folds", "scored"}
    assert (folds["folds"].n_repeats, folds["scored"].n_repeats) == (1, 2)
    assert not (folds["folds"].assignment[0] == folds["scored"].assignment).all(axis=1).any()


def test_both_scores_are_reported_and_which_of_them_is_optimistic(done, page):
    assert f"{done.best.score:.4f}" in page
    assert f"{done.tuned.mean:.4f} ± {done.tuned.std:.4f}" in page
    assert f"{done.default.mean:.4f} ± {done.default.std:.4f}" in page
    assert f"{done.gain:+.4f}" in page
    assert "the score on the tuning folds is optimistic" in page
    assert "12 trials" in page
    assert f"best {done.best.score:.4f} of 12" in page


def test_a_run_scores_the_members_just_as_the_study_says(searched, root, done):
    for values, scored in (({}, done.default), (done.best.values, done.tuned)):
        found = tuned_values.find(searched, root) if values else []
        competition = tuned_values.apply(searched, found)
        request = runs.RunRequest(
            source="sample", track=False, root=root, tuned=tuple(found), always_tuned=True
        )
        summary = runs.run(competition, request, Narrator(Console(quiet=True)))
        (line,) = (member for member in summary.members if member.name == "mlp")
        assert (line.score, line.std) == (scored.mean, scored.std)
        assert [one.name for one in summary.tuned] == (["mlp"] if values else [])


def test_the_next_run_says_what_it_uses(searched, root, done, recorder, tmp_path):
    found = [replace(one, gain=0.1) for one in tuned_values.find(searched, root)]
    request = runs.RunRequest(source="sample", track=False, root=root, tuned=tuple(found))
    summary = runs.run(tuned_values.apply(searched, found), request, Narrator(recorder))
    run_page.show(summary, recorder)
    message = recorder.file.getvalue()
    assert f"tuned       mlp: train.lr = {done.best.values['train.lr']:.4g}" in message
    assert f"mlp: best of 12 trials; {done.best.score:.4f} on the tuning folds" in message
    foreign = [replace(found[0], data="other rows", source="path")]
    request = replace(request, tuned=tuple(foreign))
    summary = runs.run(tuned_values.apply(searched, foreign), request, Narrator(recorder))
    assert "they were found on other rows (source path)" in recorder.file.getvalue()
    assert summary.tuned == ()
    default = next(line for line in summary.members if line.name == "mlp")
    assert default.score == done.default.mean


def test_the_file_says_what_the_values_gain_on_the_folds_of_a_run(searched, root, done):
    (found,) = tuned_values.find(searched, root)
    assert (found.gain, found.gain_error) == (done.gain, done.gain_error)
    assert found.gain_error > 0


def test_figures_are_drawn_and_the_study_is_reported_as_json(done, root):
    assert {path.stem for path in done.figures} >= {"history", "slices", "parallel_coordinates"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in done.figures)
    message = json.loads((done.folder / "study.json").read_text())
    assert len(message["study"]["trials"]) == 12
    assert message["tuned"]["mean"] == done.tuned.mean


@pytest.fixture(scope="module")
def client(root):
    from mlflow import MlflowClient

    return MlflowClient(local_store(root))


def test_mlflow_has_the_study_and_its_trials_beneath(done, client):
    parent = client.get_run(done.mlflow_run_id)
    assert parent.data.metrics["score"] == pytest.approx(done.best.score, abs=5e-7)
    assert parent.data.metrics["cv"] == pytest.approx(done.tuned.mean, abs=5e-7)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["study"] == done.study.name
    figures = {file.path for file in client.list_artifacts(done.mlflow_run_id, "figures")}
    assert "figures/history.png" in figures
    children = _children(client, parent)
    assert [run.info.run_name for run in children] == [f"trial {n:04d}" for n in range(12)]
    first, trial = children[0], done.study.trials[0]
    assert first.data.params["train.lr"] == str(trial.values["train.lr"])
    assert first.data.metrics["score"] == pytest.approx(trial.score, abs=5e-7)
    assert first.info.start_time == trial.start_ms
    lasted = (first.info.end_time - first.info.start_time) / 1000
    assert lasted == pytest.approx(first.data.metrics["seconds"], abs=0.02)
    assert parent.data.metrics["seconds"] == pytest.approx(done.seconds, abs=0.01)
    curve = client.get_metric_history(first.info.run_id, "score_by_step")
    assert tuple((point.step, point.value) for point in curve) == trial.curve


def test_commits_to_the_local_store_need_not_wait_for_the_disk(done, root):
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def _children(client, parent):
    beneath = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    found = client.search_runs([parent.info.experiment_id], beneath)
    return sorted(found, key=lambda run: run.info.run_name)


def test_going_on_with_a_study_adds_to_what_mlflow_has(
    searched, root, done, client, narrator, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = tuning.TuneRequest(
        study=StudyOptions(n_trials=13), source="sample", root=root, score=False, track=False
    )
    list(tuning.tune(searched, request, narrator))  # one that nobody wrote
    (more,) = tuning.tune(
        searched, replace(request, study=StudyOptions(n_trials=14), track=True), narrator
    )
    assert (len(more.study.trials), more.tuned) == (14, None)
    assert more.mlflow_run_id == done.mlflow_run_id
    children = _children(client, client.get_run(more.mlflow_run_id))
    assert [run.info.run_name for run in children] == [f"trial {n:04d}" for n in range(14)]


def test_only_what_this_process_ran_is_written_as_it_ends(
    searched, tmp_path, narrator, monkeypatch
):
    written = []
    monkeypatch.setattr(StudyWriter, "write", lambda _, records: written.append(list(records)))
    first = tuning.TuneRequest(
        study=StudyOptions(n_trials=2), source="sample", root=tmp_path, score=False, track=False
    )
    list(tuning.tune(searched, first, narrator))
    list(tuning.tune(searched, replace(first, study=StudyOptions(n_trials=3)), narrator))
    message = [[record.name for record in records] for records in written]
    assert message == [[], ["trial 0000"], ["trial 0000", "trial 0001"], [], ["trial 0002"]]


def test_a_server_that_is_not_there_costs_nothing_but_a_warning(
    searched, root, done, recorder, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    request = tuning.TuneRequest(
        study=StudyOptions(n_trials=14), source="sample", root=root, score=False
    )
    (made,) = tuning.tune(searched, request, Narrator(recorder))
    assert made.mlflow_run_id is not None
    message = recorder.file.getvalue()
    assert "MLflow at http://127.0.0.1:9 cannot be reached" in message
    assert "the workspace's own store is used instead" in message
    (kept,) = outbox.waiting(root)
    assert [kept.family.parent.name, kept.family.children[0].name] == ["tune mlp", "trial 0000"]


@pytest.mark.parametrize("n_whole", [0, 4])
def test_ctrl_c_keeps_the_best_of_what_there_is(searched, tmp_path, narrator, monkeypatch, n_whole):
    def interrupt(parent, study):
        if len(study.trials) == n_whole:
            raise KeyboardInterrupt
        return dict.fromkeys(study.ours)

    monkeypatch.setattr("pipelines.tuning.mlflow_records.children", interrupt)
    request = tuning.TuneRequest(source="sample", root=tmp_path, track=False)
    with pytest.raises(KeyboardInterrupt):
        list(tuning.tune(searched, request, narrator))
    assert [found.n_trials for found in tuned_values.find(searched, tmp_path)] == [4] * (
        n_whole > 0
    )


@pytest.mark.parametrize("command", ["tune", "run", "show"])
@pytest.mark.parametrize("option", ["--member", "--members"])
def test_an_unknown_member_is_reported_on_one_line(tmp_path, monkeypatch, capsys, command, option):
    monkeypatch.chdir(tmp_path)
    assert app.main([command, "titanic", option, "mlp,mpl"]) == 2
    assert capsys.readouterr().err == (
        "foldwise: unknown member of titanic 'mpl': did you mean 'mlp'?\n"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"members": ("mlp", "linear")}, "no search space for linear; those that have one: mlp;"),
        ({"pruner": "medium"}, "unknown pruner 'medium'; known: auto, median"),
    ],
)
def test_what_cannot_be_tuned_is_reported(searched, tmp_path, narrator, asked, message):
    request = tuning.TuneRequest(source="sample", root=tmp_path, track=False, **asked)
    with pytest.raises(TuneError, match=message):
        list(tuning.tune(searched, request, narrator))


def test_a_study_without_a_whole_trial_says_so(searched, tmp_path, narrator):
    request = tuning.TuneRequest(
        source="sample", root=tmp_path, track=False, study=StudyOptions(time_limit_s=0.0)
    )
    with pytest.raises(tuning.NothingFoundError, match=r"none of 0 trials.*longer --time-limit"):
        list(tuning.tune(searched, request, narrator))
