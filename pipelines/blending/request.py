"""What a person asked of `foldwise blend`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.kaggle.retry import Patience


class BlendRequestError(ValueError):
    """Options that do not go together, or nothing to blend."""

    exit_code = 2


@dataclass(frozen=True)
class Files:
    """Predictions from elsewhere.

    Attributes:
        oof: Out-of-fold files.
        sub: The same models' test predictions, in the same order.
        pairs: Patterns of out-of-fold files, whose partners lie beside them.
        weights: `FILE=WEIGHT`, of test predictions without out-of-fold ones.
        fold_file: The folds on which they were made.
        claims: `FILE=SCORE`.
    """

    oof: tuple[Path, ...] = ()
    sub: tuple[Path, ...] = ()
    pairs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    fold_file: Path | None = None
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class How:
    """How the members are blended.

    Attributes:
        method: `auto`, or methods by name, separated by commas.
        negative: Whether weights may be negative.
        levels: 1, or how many levels stand upon each other.
        without: Members, files or runs that are left out.
        keep_suspects: Whether files are blended that look in-sample.
    """

    method: str = "auto"
    negative: bool = False
    levels: int = 1
    without: tuple[str, ...] = ()
    keep_suspects: bool = False


@dataclass(frozen=True)
class BlendRequest:
    """The whole request.

    Attributes:
        runs: Ids of the runs to blend; all finished ones if empty.
        use_runs: Whether runs are blended.
        files: Predictions from elsewhere.
        how: How they are blended.
        source: Where the competition's files come from; None: as for the newest run.
        out: Where to write the CSV as well.
        track: Whether to write an MLflow run.
        note: What the ledger notes.
        patience: How long to wait for Kaggle.
        root: The workspace.
    """

    runs: tuple[str, ...] = ()
    use_runs: bool = True
    files: Files = field(default_factory=Files)
    how: How = field(default_factory=How)
    source: str | None = None
    out: Path | None = None
    track: bool = True
    note: str | None = None
    patience: Patience = field(default_factory=Patience)
    root: Path = Path()
