"""Made-up tables in Kaggle's form, and what is drafted from them."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from pipelines.competitions import load_competition
from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.drafting.draft import DraftRequest, draft

N_TRAIN, N_TEST = 400, 120


@dataclass
class Files:
    """Three tables; a test changes them before they are written."""

    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame

    def change(self, **columns):
        """Set columns of both tables, by functions of the number of rows and a generator."""
        for seed, name in enumerate(("train", "test")):
            table, rng = getattr(self, name), np.random.default_rng(seed)
            made = {column: make(len(table), rng) for column, make in columns.items()}
            setattr(self, name, table.assign(**made))
        return self

    def target(self, values, placeholder):
        """Replace the target `y`, and the sample's placeholder."""
        self.train = self.train.assign(y=values)
        self.sample = self.sample.assign(y=placeholder)
        return self

    def write(self, folder):
        """Write them with the usual names."""
        folder.mkdir(parents=True, exist_ok=True)
        self.train.to_csv(folder / "train.csv", index=False)
        self.test.to_csv(folder / "test.csv", index=False)
        self.sample.to_csv(folder / "sample_submission.csv", index=False)
        return folder


@dataclass
class Drafted:
    """A drafted file, what was printed, and the competition in it."""

    path: Path
    printed: str

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def competition(self) -> Competition:
        return load_competition(self.path.stem.replace("_", "-"))

    def column(self, name):
        return next(column for column in self.competition.columns if column.name == name)


def _rows(n, seed):
    rng = np.random.default_rng(seed)
    a, c = rng.normal(size=n).round(4), rng.choice(list("xyz"), n)
    signal = a + (c == "x") + 0.3 * rng.normal(size=n)
    b = rng.integers(0, 50, n)
    return pd.DataFrame({"id": np.arange(n) + 1000 * seed, "a": a, "b": b, "c": c, "y": signal})


@pytest.fixture
def files():
    """A regression of `y` by the numbers `a` and `b` and the category `c`."""
    train, test = _rows(N_TRAIN, 1), _rows(N_TEST, 2).drop(columns="y")
    train["y"] = train["y"].round(3)
    return Files(train, test, test[["id"]].assign(y=0))


@pytest.fixture
def drafted(tmp_path, monkeypatch):
    """Writes the files, and drafts a competition from them."""
    monkeypatch.chdir(tmp_path)

    def make(files, *, metric="rmse", ask=None, **request):
        source = files.write(tmp_path / "files")
        printed = StringIO()
        narrator = Narrator(Console(file=printed, width=300))
        typed = DraftRequest(slug="made-up", source=str(source), metric=metric, **request)
        place = draft(typed, narrator, ask=ask)
        return Drafted(tmp_path / place.path, printed.getvalue())

    return make
