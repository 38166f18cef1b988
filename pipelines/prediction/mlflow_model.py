"""A finished run as an MLflow model: `mlflow.pyfunc.load_model` calls `_load_pyfunc`.

The model holds the run's own files, not a pickle, and is loaded where Foldwise is installed. Where
those files are large, it holds the path of the run's folder instead.
"""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines import competitions
from pipelines.configuration.competition import Competition
from pipelines.prediction import new_rows
from pipelines.prediction.kept_files import kept_files
from pipelines.prediction.predictor import Predictor, PredictorError
from pipelines.stages.input_tables import test_columns
from pipelines.tracking.record import LoggedModel
from pipelines.workspace import files, run_folders
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import PreprocessFiles

LARGEST_COPY = 32 << 20  # bytes; the files of a larger run stay where they are
REFERENCE, CSV = "elsewhere.json", "rows.csv"
TYPES = {  # MLflow's, by kind and whether a value may be missing: in MLflow no integer may
    ("int", False): "long",
    ("int", True): "double",
    ("byte", False): "long",
    ("float", False): "double",
    ("float", True): "double",
    ("text", False): "string",
    ("text", True): "string",
    ("image", False): "string",
    ("image", True): "string",
    ("bool", False): "boolean",
    ("bool", True): "string",
    ("date", False): "string",
    ("date", True): "string",
}
LABEL_TYPES = {bool: "boolean", int: "long", str: "string"}
N_EXAMPLES = 3


class RunModel:
    """The model that MLflow calls: a DataFrame of rows to one of labels and probabilities."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """The label of each row, and the probability of each class.

        Args:
            model_input: The test file's columns; the id may be absent.
            params: Not used.

        Raises:
            TableError: A column is absent or holds values that it must not.
        """
        competition = self._predictor.competition
        with tempfile.TemporaryDirectory(prefix="foldwise-") as folder:
            # Read like a file, so that it is checked like one.
            path = Path(folder) / CSV
            _as_declared(competition, model_input).to_csv(path, index=False)
            rows = new_rows.read(competition, path)
        answers = self._predictor.answers(rows, self._predictor.predict(rows.table))
        table = answers.table(with_probabilities=True)
        table = table.drop(columns=[rows.id_name] if rows.id_name else [])
        return table.set_axis(model_input.index)


def _load_pyfunc(path: str) -> RunModel:
    """The model whose files are in the folder.

    Raises:
        PredictorError: The run's folder that it refers to is gone.
    """
    folder = Path(path)
    if (folder / REFERENCE).exists():
        folder = Path(json.loads((folder / REFERENCE).read_text())["folder"])
    if not RunLayout(folder).run_file.exists():
        raise PredictorError(
            f"{folder}: there is no run; its files were too large to be copied into the model, "
            "and the folder has been moved or deleted since"
        )
    name = run_folders.describe(folder)["configuration"]["name"]
    competition = competitions.load_competition(name)
    return RunModel(Predictor.open(folder, competition, Path(tempfile.gettempdir())))


def logged_model(run: Path, name: str) -> LoggedModel | None:
    """What MLflow logs of a run as a model; None where the run has no `model.json`.

    Args:
        run: The run's folder.
        name: The model's name in MLflow.
    """
    if not RunLayout(run).model_file.exists():
        return None
    content = described(run)
    return LoggedModel(
        name=name,
        loader_module=__name__,
        folder=run,
        fill=partial(fill, run=run),
        inputs=content["inputs"],
        outputs=content["outputs"],
        example=partial(example, run),
    )


def describe(run: Path, competition: Competition) -> None:
    """Write `model.json` into a run's folder: the model's inputs, outputs and files.

    Args:
        run: The folder; all its stages are finished.
        competition: The one that it was made for.
    """
    inputs = [
        (column.name, TYPES[column.kind, column.may_be_missing], True)
        for column in test_columns(competition)
    ]
    dates = [column for column in test_columns(competition) if column.kind == "date"]
    description = {
        "inputs": inputs,
        "date_formats": {column.name: column.format for column in dates},
        "outputs": _outputs(competition),
        "files": [path.relative_to(run).as_posix() for path in kept_files(run, competition)],
    }
    files.write_text(RunLayout(run).model_file, json.dumps(description) + "\n")


def _outputs(competition: Competition) -> list[tuple[str, str]]:
    """Names and types of the columns that the model gives."""
    task = competition.predicts
    if not task.has_classes:
        return [(name, "double") for name in competition.targets]
    label = LABEL_TYPES[type(competition.classes[0])]
    columns = map(str, competition.classes) if task.chooses_class else ["position"]
    return [(competition.answer_names[0], label), *((name, "double") for name in columns)]


def described(run: Path) -> dict[str, Any]:
    """What `describe` wrote."""
    content: dict[str, Any] = json.loads(RunLayout(run).model_file.read_text())
    return content


def example(run: Path) -> pd.DataFrame | None:
    """Some test rows of the run as inputs of its model; None where `features` drops columns."""
    content = described(run)
    inputs = content["inputs"]
    kinds = {name: kind for name, kind, is_required in inputs if is_required}
    test = pd.read_parquet(PreprocessFiles(RunLayout(run).preprocess).test)
    if not set(kinds) <= set(test):
        return None
    whole = {name: "int64" for name, kind in kinds.items() if kind == "long"}
    rows = test[list(kinds)].dropna(subset=list(whole)).head(N_EXAMPLES)
    formats: dict[str, str | None] = content.get("date_formats", {})
    dates = {name: _as_written(rows[name], form) for name, form in formats.items()}
    return rows.astype(whole).assign(**dates) if len(rows) else None


def _as_written(dates: pd.Series, written: str | None) -> pd.Series:
    """Dates as the files have them; a missing one stays missing."""
    return dates.astype("str") if written is None else dates.dt.strftime(written)


def fill(folder: Path, run: Path) -> None:
    """Fill an empty folder with what `_load_pyfunc` needs of a run that `describe` has seen."""
    paths = [run / name for name in described(run)["files"]]
    if sum(path.stat().st_size for path in paths) > LARGEST_COPY:
        (folder / REFERENCE).write_text(json.dumps({"folder": str(run.resolve())}) + "\n")
        return
    for path in paths:
        target = folder / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.link_or_copy(path, target)


def _as_declared(competition: Competition, table: pd.DataFrame) -> pd.DataFrame:
    """Integer columns as integers: a DataFrame with missing values holds them as floats."""
    kinds = {column.name: column.kind for column in competition.columns}
    whole = {
        name: "Int64"
        for name in table.columns
        if kinds.get(name) == "int" and table[name].dtype.kind == "f"
    }
    return table.astype(whole)
