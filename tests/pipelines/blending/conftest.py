"""A competition with foreign predictions beside it, and a workspace to blend them in."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from features.encoders.tabular import TabularEncoder
from features.folds import FoldPlan
from features.tables.schema import Column
from models.estimators.trees import TreesSettings
from pipelines.blending.blend import blend
from pipelines.blending.request import BlendRequest, Files, How
from pipelines.configuration.competition import Competition, Kaggle, OfflineSample
from pipelines.console import Narrator
from pipelines.members.trees import TreesMember

N_TRAIN, N_TEST = 200, 120


def rows(n, first):
    rng = np.random.default_rng(first)
    size = rng.normal(size=n)
    win = (size + 0.8 * rng.normal(size=n) > 0).astype(int)
    return pd.DataFrame({"Id": np.arange(first, first + n), "win": win, "size": size.round(4)})


def write(folder: Path) -> None:
    train, test = rows(N_TRAIN, 1), rows(N_TEST, 1001)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns="win").to_csv(folder / "test.csv", index=False)
    test[["Id", "win"]].assign(win=0.5).to_csv(folder / "sample.csv", index=False)
    test[["Id", "win"]].to_csv(folder / "holdout.csv", index=False)


def encoder():
    return TabularEncoder(numeric=["size"], scaling="none")


@pytest.fixture(scope="session")
def shapes():
    return Competition(
        name="shapes",
        title="Shapes",
        kaggle=Kaggle(slug="shapes"),
        files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
        id="Id",
        target="win",
        classes=(0, 1),
        metric="auc",
        form="probabilities",
        columns=(Column(name="size", kind="float", minimum=-10),),
        folds=FoldPlan(n_folds=4),
        members=(
            TreesMember(name="few", encoder=encoder, trees=TreesSettings(n_estimators=5)),
            TreesMember(name="more", encoder=encoder, trees=TreesSettings(n_estimators=15)),
        ),
        sample=OfflineSample(write=write, origin="a generator", synthetic=True, fingerprint=str),
    )


def foreign(noise, seed):
    """Out-of-fold and test predictions of a model that sees the signal through noise."""
    rng = np.random.default_rng(seed)
    made = []
    for table in (rows(N_TRAIN, 1), rows(N_TEST, 1001)):
        odds = 2 * table["size"] + noise * rng.normal(size=len(table))
        made.append(pd.DataFrame({"Id": table["Id"], "win": 1 / (1 + np.exp(-odds))}))
    return made


@pytest.fixture
def preds(tmp_path):
    """Writes a pair of CSVs; gives their paths."""
    folder = tmp_path / "preds"
    folder.mkdir()

    def make(name, noise=0.5, seed=0, change=lambda oof, sub: (oof, sub)):
        oof, sub = change(*foreign(noise, seed))
        paths = folder / f"oof_{name}.csv", folder / f"sub_{name}.csv"
        for table, path in zip((oof, sub), paths, strict=True):
            table.to_csv(path, index=False)
        return paths

    return make


@pytest.fixture
def spoken(tmp_path):
    """A narrator, and what it has said so far."""

    class Spoken:
        def __init__(self):
            self.console = Console(record=True, width=1000, quiet=False, file=None)
            self.console.file = (tmp_path / "said.txt").open("w")
            self.narrator = Narrator(self.console)

        @property
        def text(self):
            self.console.file.flush()
            return (tmp_path / "said.txt").read_text()

    made = Spoken()
    yield made
    made.console.file.close()


@pytest.fixture
def blended(shapes, tmp_path, spoken):
    """Blends in the test's own workspace; the pairs are given as paths."""

    def go(*pairs, competition=None, **options):
        how = {k: options.pop(k) for k in list(options) if k in How.__dataclass_fields__}
        files = {k: options.pop(k) for k in list(options) if k in Files.__dataclass_fields__}
        request = BlendRequest(
            files=Files(
                **{
                    "oof": tuple(oof for oof, _ in pairs),
                    "sub": tuple(sub for _, sub in pairs),
                    **files,
                }
            ),
            how=How(**({"method": "hill,equal"} | how)),
            **({"source": "sample", "track": False, "root": tmp_path} | options),
        )
        return blend(competition or shapes, request, spoken.narrator)

    return go
