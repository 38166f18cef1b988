"""The files that each stage writes into its folder; no name of them is spelled elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

BLEND = "blend"  # the name of the weighted mean of the members, which every run tries


@dataclass(frozen=True)
class PreprocessFiles:
    """What stage 2 writes into its folder."""

    folder: Path

    @property
    def train(self) -> Path:
        """The training table."""
        return self.folder / "train.parquet"

    @property
    def test(self) -> Path:
        """The test table."""
        return self.folder / "test.parquet"

    @property
    def sample_submission(self) -> Path:
        """The form in which Kaggle wants the answer."""
        return self.folder / "sample_submission.parquet"

    @property
    def train_ids(self) -> Path:
        """The training rows' ids."""
        return self.folder / "train_ids.parquet"

    @property
    def test_ids(self) -> Path:
        """The test rows' ids."""
        return self.folder / "test_ids.parquet"

    @property
    def holdout_ids(self) -> Path:
        """The ids of test rows whose labels were held back; absent where none were."""
        return self.folder / "holdout_ids.parquet"

    @property
    def description(self) -> Path:
        """The submission's form, and what a person should know of the rows."""
        return self.folder / "description.json"

    @property
    def rows(self) -> Path:
        """Target, weights and folds."""
        return self.folder / "rows.npz"

    def extra(self, name: str, split: str) -> Path:
        """The table of an extra file that belongs to the rows of `train` or `test`."""
        return self.folder / f"extra-{split}-{quote(name, safe='')}.parquet"

    def all_extra(self, split: str) -> dict[str, Path]:
        """The same of all extra files, by name."""
        prefix = f"extra-{split}-"
        paths = sorted(self.folder.glob(f"{prefix}*.parquet"))
        return {unquote(path.stem.removeprefix(prefix)): path for path in paths}


def fold_name(index: int) -> str:
    """What the files of a fold begin with."""
    return f"fold-{index:03d}"


@dataclass(frozen=True)
class DatasetFiles:
    """What stage 3 writes into its folder, by the fold's index."""

    folder: Path

    def train(self, fold: int) -> Path:
        """The training file's rows."""
        return self.folder / f"{fold_name(fold)}.npz"

    def test(self, fold: int, array: str) -> Path:
        """One array of the test rows."""
        return self.folder / f"{fold_name(fold)}-test-{array}.npy"

    def vocabulary(self, fold: int) -> Path:
        """The words that the numbers of tokens stand for; absent without texts."""
        return self.folder / f"{fold_name(fold)}-vocabulary.json"

    def columns(self, fold: int) -> Path:
        """Names and cardinalities of the arrays' columns; absent in runs of older versions."""
        return self.folder / f"{fold_name(fold)}-columns.json"

    def expensive(self, fold: int) -> Path:
        """What the encoder took long to learn; absent where nothing did."""
        return self.folder / f"{fold_name(fold)}-costly.npz"

    def all_train(self) -> list[Path]:
        """What a model is trained on again, of every fold: all but the test rows."""
        files = (*self.folder.glob("fold-*.npz"), *self.folder.glob("fold-*.json"))
        return sorted(files)

    def all_expensive(self) -> list[Path]:
        """What the encoder of every fold took long to learn."""
        return sorted(self.folder.glob("fold-*-costly.npz"))


@dataclass(frozen=True)
class TrainFiles:
    """What stage 4 writes into its folder."""

    folder: Path

    @property
    def member(self) -> Path:
        """The member's name, warnings and notes."""
        return self.folder / "member.json"

    @property
    def predictions(self) -> Path:
        """Out-of-fold and test predictions, and scores."""
        return self.folder / "predictions.npz"

    @property
    def curves(self) -> Path:
        """Learning curves."""
        return self.folder / "curves.npz"

    @property
    def models(self) -> Path:
        """The fitted models."""
        return self.folder / "models"

    @property
    def refit_models(self) -> Path:
        """The models that predict new rows, where those of the folds do not."""
        return self.folder / "refit-models"


@dataclass(frozen=True)
class EnsembleFiles:
    """What stage 5 writes into its folder."""

    folder: Path

    @property
    def members(self) -> Path:
        """Names, and what was chosen."""
        return self.folder / "members.json"

    @property
    def blend(self) -> Path:
        """Weights, predictions and scores."""
        return self.folder / "blend.npz"

    @property
    def recipe(self) -> Path:
        """How a prediction is made of the members'."""
        return self.folder / "recipe.json"

    @property
    def findings(self) -> Path:
        """What a blend of runs and files found out about its members; absent in runs."""
        return self.folder / "findings.json"

    @property
    def stackers(self) -> Path:
        """The folders of all stackers' models."""
        return self.folder / "stackers"

    def stacker(self, name: str) -> Path:
        """One stacker's models."""
        return self.stackers / quote(name, safe="")


@dataclass(frozen=True)
class SubmissionFiles:
    """What stage 6 writes into its folder."""

    folder: Path

    @property
    def csv(self) -> Path:
        """The checked CSV."""
        return self.folder / "submission.csv"
