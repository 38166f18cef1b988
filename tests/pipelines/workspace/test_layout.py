"""The names on disk are those of runs made long ago, and stand in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pipelines
from pipelines.workspace.layout import RunLayout, Workspace, submission_csv
from pipelines.workspace.stage_files import (
    DatasetFiles,
    EnsembleFiles,
    PreprocessFiles,
    SubmissionFiles,
    TrainFiles,
)

RUN = "runs/toy/20260101-000000-abcdef"


def test_an_unfinished_training_lies_beside_its_stage():
    run = RunLayout(Path(RUN))
    assert run.unfinished("train-mlp").as_posix() == f"{RUN}/stages/.train-mlp.unfinished"


def test_a_workspace_lies_where_it_always_did():
    here = Workspace(Path("w"))
    assert here.run("toy", "r") == RunLayout(Path("w/runs/toy/r"))
    places = {
        here.data: "w/data",
        here.unsent: "w/runs/unsent",
        here.database: "w/mlflow.db",
        here.artifacts("toy"): "w/mlartifacts/toy",
        here.ledger: "w/submissions/ledger.jsonl",
        here.submissions("toy"): "w/submissions/toy",
        here.study("toy", "mlp"): "w/studies/toy/mlp",
        here.comparison("a", "b"): "w/runs/compare/a-and-b.html",
        here.trial_run("toy", "mlp-1-x").folder: "w/runs/toy/tune-mlp-1-x",
        here.root / submission_csv("toy", "r"): "w/submissions/toy/r.csv",
    }
    assert {path.as_posix(): name for path, name in places.items()} == {
        name: name for name in places.values()
    }


def test_a_run_lies_where_it_always_did():
    run = RunLayout(Path(RUN))
    trained, encoded = TrainFiles(run.train("mlp")), DatasetFiles(run.dataset("scaled"))
    prepared, blended = PreprocessFiles(run.preprocess), EnsembleFiles(run.ensemble)
    assert (run.run_id, run.competition) == ("20260101-000000-abcdef", "toy")
    places = {
        run.run_file: "run.json",
        run.summary_file: "summary.json",
        run.evidence_file: "report.json",
        run.report_file: "report.html",
        run.model_file: "model.json",
        run.lock_file: ".lock",
        run.figures: "figures",
        prepared.train: "stages/preprocess/train.parquet",
        prepared.test: "stages/preprocess/test.parquet",
        prepared.sample_submission: "stages/preprocess/sample_submission.parquet",
        prepared.test_ids: "stages/preprocess/test_ids.parquet",
        prepared.description: "stages/preprocess/description.json",
        prepared.rows: "stages/preprocess/rows.npz",
        encoded.train(1): "stages/dataset-scaled/fold-001.npz",
        encoded.test(1, "x_num"): "stages/dataset-scaled/fold-001-test-x_num.npy",
        encoded.vocabulary(1): "stages/dataset-scaled/fold-001-vocabulary.json",
        encoded.expensive(1): "stages/dataset-scaled/fold-001-costly.npz",
        trained.member: "stages/train-mlp/member.json",
        trained.predictions: "stages/train-mlp/predictions.npz",
        trained.curves: "stages/train-mlp/curves.npz",
        trained.models: "stages/train-mlp/models",
        blended.members: "stages/ensemble/members.json",
        blended.blend: "stages/ensemble/blend.npz",
        blended.recipe: "stages/ensemble/recipe.json",
        blended.stacker("a/b"): "stages/ensemble/stackers/a%2Fb",
        SubmissionFiles(run.submission).csv: "stages/submission/submission.csv",
    }
    for path, name in places.items():
        assert path.as_posix() == f"{RUN}/{name}"


def test_other_runs_of_the_competition_are_found_newest_first(tmp_path):
    here = Workspace(tmp_path)
    for name in ("a", "c", "b"):
        folder = here.run("toy", name).train("mlp")
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
    here.run("toy", "d").train("trees").mkdir(parents=True)
    others = here.run("toy", "b").elsewhere("train-mlp", "manifest.json")
    assert [run.run_id for run in others] == ["c", "a"]


OWNERS = ("layout.py", "stage_files.py")
SPELLED = (
    *("stages", "preprocess", "runs", "studies", "unsent", "mlartifacts", "mlflow.db", "figures"),
    *("run.json", "summary.json", "report.json", "report.html", "model.json", "ledger.jsonl"),
    *("train.parquet", "rows.npz", "predictions.npz", "curves.npz", "member.json", "recipe.json"),
)
PREFIXES = ("dataset-", "train-", "tune-")


def spelled_in(path):
    """Names of the layout that a module spells where it puts a path or a stage's name together."""
    for node in ast.walk(ast.parse(path.read_text())):
        joined = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        parts = [node.left, node.right] if joined else []
        parts += node.args if isinstance(node, ast.Call) and _is_path(node.func) else []
        parts += node.values[:1] if isinstance(node, ast.JoinedStr) else []
        for part in parts:
            text = part.value if isinstance(part, ast.Constant) else ""
            if text in SPELLED or (isinstance(text, str) and text.startswith(PREFIXES)):
                yield text


def _is_path(function):
    return isinstance(function, ast.Name) and function.id == "Path"


ROOT = Path(pipelines.__file__).parent


def test_no_other_module_spells_a_name_of_the_layout():
    others = [path for path in ROOT.rglob("*.py") if path.name not in OWNERS]
    spelled = {path.relative_to(ROOT).as_posix(): [*spelled_in(path)] for path in others}
    assert {path: texts for path, texts in spelled.items() if texts} == {}


def test_the_owners_spell_them():
    assert {*spelled_in(ROOT / "workspace" / "layout.py")} >= {"stages", "runs", "studies"}
