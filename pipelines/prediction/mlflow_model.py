"""A finished run as a model of MLflow: `mlflow.pyfunc.load_model` calls `_load_pyfunc`.

The model holds the run's own files, not a pickle of objects, and is loaded where Foldwise is
installed. Of a run whose files are large it holds the place of the run's folder instead.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines import competitions
from pipelines.configuration.competition import Competition, EstimatorMember
from pipelines.prediction import new_rows
from pipelines.prediction.answers import Answers
from pipelines.prediction.predictor import Predictor, PredictorError
from pipelines.workspace import files, run_folders
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import (
    DatasetFiles,
    EnsembleFiles,
    PreprocessFiles,
    TrainFiles,
)

LARGEST_COPY = 32 << 20  # bytes; the files of a larger run stay where they are
REFERENCE, CSV = "elsewhere.json", "rows.csv"
TYPES = {  # of MLflow, by kind and whether a value may be missing: a whole number cannot be
    ("int", False): "long",
    ("int", True): "double",
    ("byte", False): "long",
    ("float", False): "double",
    ("float", True): "double",
    ("text", False): "string",
    ("text", True): "string",
}
N_EXAMPLES = 3


class Served:
    """What MLflow calls: rows as a DataFrame in, a DataFrame of labels and probabilities out."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """The label of each row, and the probability of each class.

        Args:
            model_input: the test file's columns; the id may be absent.
            params: none are known.

        Raises:
            TableError: a column is absent or holds what it should not.
        """
        competition = self._predictor.competition
        with tempfile.TemporaryDirectory(prefix="foldwise-") as folder:
            # The same checks as for a file, by the same reading.
            path = Path(folder) / CSV
            _as_declared(competition, model_input).to_csv(path, index=False)
            rows = new_rows.read(competition, path)
        answers = Answers(competition, rows, self._predictor.predict(rows.table))
        told = answers.table(with_probabilities=True).drop(columns=rows.id_name)
        return told.set_axis(model_input.index)


def _load_pyfunc(path: str) -> Served:
    """The model whose files are in the folder.

    Raises:
        PredictorError: the folder that it refers to is no longer there.
    """
    folder = Path(path)
    if (folder / REFERENCE).exists():
        folder = Path(json.loads((folder / REFERENCE).read_text())["folder"])
    if not RunLayout(folder).run_file.exists():
        raise PredictorError(
            f"{folder}: there is no run; its files were too large to be copied into the model, "
            "and the folder has been moved or deleted since"
        )
    described = run_folders.describe(folder)
    competition = competitions.load_competition(described["configuration"]["name"])
    return Served(Predictor.open(folder, competition, Path(tempfile.gettempdir())))


def describe(run: Path, competition: Competition) -> None:
    """Write `model.json` into a run's folder: what a model of the run takes, gives and needs.

    Args:
        run: the folder; all its stages are done.
        competition: the one that it was made for.
    """
    inputs = [(competition.id, "long", False)]
    inputs += [(c.name, TYPES[c.kind, c.missing], True) for c in competition.columns]
    label = "long" if isinstance(competition.classes[0], int) else "string"
    told = {
        "inputs": inputs,
        "outputs": [
            (competition.submission_column or competition.target, label),
            *((str(c), "double") for c in competition.classes),
        ],
        "files": [path.relative_to(run).as_posix() for path in _needed(run, competition)],
    }
    files.write_text(RunLayout(run).model_file, json.dumps(told) + "\n")


def described(run: Path) -> dict[str, Any]:
    """What `describe` wrote."""
    content: dict[str, Any] = json.loads(RunLayout(run).model_file.read_text())
    return content


def example(run: Path) -> pd.DataFrame | None:
    """Some test rows of the run as a model of it takes them; None where `features` hid them."""
    told = described(run)
    kinds = {name: kind for name, kind, is_required in told["inputs"] if is_required}
    test = pd.read_parquet(PreprocessFiles(RunLayout(run).preprocess).test)
    if not set(kinds) <= set(test):
        return None
    whole = {name: "int64" for name, kind in kinds.items() if kind == "long"}
    rows = test[list(kinds)].dropna(subset=list(whole)).head(N_EXAMPLES)
    return rows.astype(whole) if len(rows) else None


def fill(folder: Path, run: Path) -> None:
    """Fill an empty folder with what `_load_pyfunc` needs of a run that is described."""
    paths = [run / name for name in described(run)["files"]]
    if sum(path.stat().st_size for path in paths) > LARGEST_COPY:
        (folder / REFERENCE).write_text(json.dumps({"folder": str(run.resolve())}) + "\n")
        return
    for path in paths:
        target = folder / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.link_or_copy(path, target)


def _needed(run: Path, competition: Competition) -> list[Path]:
    """The run's files that predictions need."""
    layout = RunLayout(run)
    needed = [layout.run_file, *_files(layout.preprocess), *_files(layout.ensemble)]
    for member in competition.members:
        models = _files(TrainFiles(layout.train(member.name)).models)
        dataset = DatasetFiles(layout.dataset(member.encoder.__name__))
        is_trained_again = isinstance(member, EstimatorMember) and not models
        needed += models + (dataset.all_train() if is_trained_again else dataset.all_expensive())
    stackers = EnsembleFiles(layout.ensemble).stackers.glob("*")
    if not all(any(stacker.iterdir()) for stacker in stackers):  # one is trained again
        for member in competition.members:
            made = TrainFiles(layout.train(member.name))
            needed += [made.member, made.curves, made.predictions]
    return list(dict.fromkeys(needed))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _as_declared(competition: Competition, table: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers as such: beside missing ones a DataFrame holds them as floats."""
    kinds = {column.name: column.kind for column in competition.columns}
    whole = {
        name: "Int64"
        for name in table.columns
        if kinds.get(name) == "int" and table[name].dtype.kind == "f"
    }
    return table.astype(whole)
