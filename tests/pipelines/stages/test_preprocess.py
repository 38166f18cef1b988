"""Files without an id column, and submissions that call the target by another name."""

import pandas as pd
import pytest

from pipelines.configuration.competition import FileFormat
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest

MEMBERS = ("linear",)


@pytest.fixture
def numbered(toy):
    members = tuple(member for member in toy.members if member.name in MEMBERS)
    form = FileFormat(row_numbers=True)
    changed = {"file_format": form, "submission_column": "Win", "members": members}
    return toy.model_copy(update=changed)


def test_rows_without_ids_are_numbered_from_1(numbered, toy_folder, narrator, tmp_path):
    for name in ("train.csv", "test.csv"):
        pd.read_csv(toy_folder / name).drop(columns="Id").to_csv(toy_folder / name, index=False)
    sample = pd.read_csv(toy_folder / "sample.csv").rename(columns={"win": "Win"})
    sample["Id"] = range(1, len(sample) + 1)
    sample.to_csv(toy_folder / "sample.csv", index=False)
    asked = RunRequest(source=str(toy_folder), track=False, root=tmp_path)
    summary = runs.run(numbered, asked, narrator)
    made = pd.read_csv(tmp_path / summary.submission)
    assert list(made.columns) == ["Id", "Win"]
    assert made["Id"].tolist() == list(range(1, 46))
    assert summary.cv > 0.6
