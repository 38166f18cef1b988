"""A competition small enough to run in a second, and a workspace to run it in."""

import os
import signal
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from features.encoders.tabular import TabularEncoder
from features.folds import FoldPlan
from features.tables.schema import Column
from models.architectures.linear import LinearSettings
from models.architectures.mlp import MLPSettings
from models.estimators.trees import TreesSettings
from models.training.settings import TrainSettings
from pipelines.configuration.competition import Competition, Kaggle, OfflineSample
from pipelines.console import Narrator
from pipelines.members.network import NetworkMember
from pipelines.members.trees import TreesMember

N_TRAIN, N_TEST = 90, 45

# Messages name `foldwise` as it works where it is typed: here it is on the PATH.
os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs deaf to Ctrl-C, and every process of theirs inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

KINDS = ("red", "green", "blue")


def scaled() -> TabularEncoder:
    return TabularEncoder(numeric=["size", "double"], categorical=["kind"])


def unscaled() -> TabularEncoder:
    return TabularEncoder(numeric=["size"], categorical=["kind"], scaling="none")


def add_double(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(double=table["size"] * 2)


def toy_rows(n_rows: int, first_id: int) -> pd.DataFrame:
    """Rows whose target follows size and kind, with some noise."""
    rng = np.random.default_rng(first_id)
    size, kind = rng.normal(size=n_rows), rng.choice(KINDS, n_rows)
    target = size + (kind == "red") + rng.normal(scale=0.5, size=n_rows) > 0
    ids = np.arange(first_id, first_id + n_rows)
    return pd.DataFrame({"Id": ids, "win": target.astype(int), "size": size, "kind": kind})


def write_toy(folder: Path) -> None:
    """The files in Kaggle's form, with the test rows' labels held back."""
    train, test = toy_rows(N_TRAIN, 1), toy_rows(N_TEST, 1001)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns="win").to_csv(folder / "test.csv", index=False)
    test[["Id", "win"]].assign(win=0).to_csv(folder / "sample.csv", index=False)
    test[["Id", "win"]].to_csv(folder / "holdout.csv", index=False)


def make_toy() -> Competition:
    quick = TrainSettings(epochs=8, batch_size=32, lr=0.02)
    return Competition(
        name="toy",
        title="A toy",
        kaggle=Kaggle(slug="toy"),
        files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample.csv"},
        id="Id",
        target="win",
        classes=(0, 1),
        metric="accuracy",
        columns=(
            Column(name="size", kind="float", minimum=-10),
            Column(name="kind", kind="text", missing=True),
        ),
        features=add_double,
        form="labels",
        folds=FoldPlan(n_folds=3, n_repeats=2),
        members=(
            NetworkMember(name="linear", encoder=scaled, model=LinearSettings(), train=quick),
            NetworkMember(
                name="mlp", encoder=scaled, model=MLPSettings(hidden=(8,)), train=quick, n_seeds=2
            ),
            TreesMember(name="trees", encoder=unscaled, trees=TreesSettings(n_estimators=10)),
        ),
        sample=OfflineSample(
            write=write_toy, origin="a generator", synthetic=True, fingerprint=lambda: "1"
        ),
    )


@pytest.fixture(scope="session")
def toy() -> Competition:
    return make_toy()


@pytest.fixture
def toy_folder(tmp_path: Path) -> Path:
    """The toy's three files, as a person would have them from Kaggle."""
    folder = tmp_path / "toy-files"
    folder.mkdir()
    write_toy(folder)
    (folder / "holdout.csv").unlink()
    return folder


@pytest.fixture(scope="session")
def narrator() -> Narrator:
    """Tells a run's story to nobody."""
    return Narrator(Console(quiet=True))


@pytest.fixture
def edit() -> Callable[[Path, str, str], None]:
    """Replaces a text in a file that must hold it."""

    def replace(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return replace
