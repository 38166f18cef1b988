"""The cells of the two notebooks: one trains on Kaggle's machine, one predicts a hidden test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from typing import Any

from pipelines.configuration.competition import Competition
from pipelines.notebooks.notebook_file import Cell, code, text
from pipelines.workspace.summary import Summary

INSTALL = """\
# Kaggle mounts everything that is added to the notebook below ../input.
import subprocess
import sys
from pathlib import Path

INPUT = Path("../input")
wheels = sorted(map(str, INPUT.rglob("*.whl")))
install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
subprocess.run([*install, *wheels], check=True)"""
OWN_FILE = """\


# The competition's own file lies in the dataset.
import os

os.environ["FOLDWISE_COMPETITIONS"] = str(next(INPUT.rglob("competitions/{file}")).parent)"""
INTRODUCTIONS = {
    "train": "Trains every fold and seed of the members on this machine with Foldwise, blends "
    "them, and writes `submission.csv`.",
    "predict": "Predicts the test file that lies here, however long it is, with the models that "
    "run `{run}` has kept, and writes `submission.csv`. Nothing is trained.",
}


@dataclass(frozen=True)
class Contents:
    """What a notebook shows.

    Attributes:
        competition: With the settings that it runs with.
        summary: Of the run that it goes back to; None for the settings of the competition's file.
        changed: Settings that differ from those of the competition's file, by dotted key.
        own_file: The competition's file, where it is not one of the package's.
    """

    competition: Competition
    summary: Summary | None
    changed: Mapping[str, Any]
    own_file: Path | None


def train_cells(contents: Contents) -> list[Cell]:
    """The notebook that trains: data, features, folds, members, score, submission."""
    competition = contents.competition
    return [
        _introduction("train", contents),
        *_package(contents),
        text("## Data"),
        code(f"""
            import foldwise

            NAME = {json.dumps(competition.name)}
            FILE = {json.dumps(competition.files["train"])}  # as it is, or in a zip
            DATA = min(path.parent for path in INPUT.rglob(f"{{FILE}}*") if path.is_file())
            data = foldwise.load(NAME, source=DATA)
            data.train.head()
            """),
        text("## Features\n\nColumns as they are, and those that the competition's file adds."),
        code("data.train.dtypes"),
        text("## Folds\n\nEach row is predicted by models that never saw it."),
        code('print(f"{data.folds.n_splits} splits of {len(data.train):,} rows")'),
        text("## Members"),
        Cell("code", _settings(contents)),
        code("""
            result = foldwise.run(NAME, source=DATA, members=MEMBERS, settings=SETTINGS)
            result
            """),
        text("## Score\n\nCross-validated, with its spread over the splits, and each weight."),
        code("result.scores"),
        text("## Submission"),
        code("""
            import shutil

            shutil.copyfile(result.submission, "submission.csv")
            print(*result.submission.read_text().splitlines()[:5], sep="\\n")
            """),
    ]


def predict_cells(contents: Contents) -> list[Cell]:
    """The notebook that predicts: data, features, folds, members, score, submission."""
    competition = contents.competition
    return [
        _introduction("predict", contents),
        *_package(contents),
        text("## Data\n\nThe test file, of whatever length."),
        code(f"""
            import foldwise
            import pandas as pd

            NAME = {json.dumps(competition.name)}
            FILE = {json.dumps(competition.files["test"])}  # as it is, or in a zip
            TEST = min(path for path in INPUT.rglob(f"{{FILE}}*") if path.is_file())
            RUN = next(INPUT.rglob("run.json")).parent  # the finished run, in the dataset
            TEST
            """),
        text("## Features\n\nSome rows that the run trained on, with the features that it added."),
        code('pd.read_parquet(RUN / "stages" / "preprocess" / "train.parquet").head()'),
        text("## Folds and members\n\nHow rows were held out, and what each member weighs."),
        code("""
            import json

            summary = json.loads((RUN / "summary.json").read_text())
            print(summary["folds"])
            pd.DataFrame(summary["members"])[["name", "score", "std", "weight"]]
            """),
        text("## Score\n\nOf rows that no model had seen: the mean over the splits."),
        code("print(f\"{summary['metric']} {summary['cv']:.4f} ± {summary['cv_std']:.4f}\")"),
        text("## Submission\n\nIn parts, so that memory holds one of them."),
        code("""
            n_rows = foldwise.predict_file(NAME, RUN, TEST, "submission.csv", rows=100_000)
            print(f"{n_rows:,} rows")
            pd.read_csv("submission.csv", nrows=5)
            """),
    ]


def _introduction(kind: str, contents: Contents) -> Cell:
    run = contents.summary.run if contents.summary else ""
    return text(f"# {contents.competition.title}\n\n{INTRODUCTIONS[kind].format(run=run)}")


def _package(contents: Contents) -> Sequence[Cell]:
    """Installs the wheels of the dataset, and says where a competition's own file is."""
    own = OWN_FILE.format(file=contents.own_file.name) if contents.own_file else ""
    return [text("## Package\n\nFrom the dataset: there is no internet here."), code(INSTALL + own)]


def _settings(contents: Contents) -> str:
    """The members and settings that the run is made with."""
    names = [member.name for member in contents.competition.members]
    changed = json.loads(json.dumps(dict(contents.changed), default=str))
    return f"MEMBERS = {json.dumps(names)}\nSETTINGS = {pformat(changed, width=85)}"
