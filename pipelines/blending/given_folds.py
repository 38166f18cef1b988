"""`--fold-file`: on which folds foreign out-of-fold predictions were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from submissions.check import as_text, id_faults


class FoldFileError(ValueError):
    """A file that does not give every training row a fold."""

    exit_code = 3


def read_folds(path: Path, ids: pd.Series) -> np.ndarray:
    """The fold of each training row, `(n_rows,) int16`, counted from 0.

    Args:
        path: A table whose first column holds ids, and which has a column `fold`.
        ids: The training rows' ids as texts.

    Raises:
        FoldFileError: It cannot be read, or ids or folds are wrong.
    """
    step = "write a CSV with the columns id and fold"
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else "no table"
        raise FoldFileError(f"--fold-file {path}: found {found}; {step}") from error
    by_lower = {str(name).lower(): name for name in table.columns}
    if "fold" not in by_lower or len(table.columns) < 2:
        listed = ", ".join(map(str, table.columns))
        raise FoldFileError(f"--fold-file {path}: found the columns {listed}; {step}")
    fold_name = by_lower["fold"]
    id_name = next(name for name in table.columns if name != fold_name)
    texts = as_text(table[id_name].rename(None)).set_axis(range(2, len(table) + 2))
    wanted = pd.Series(list(ids), dtype=object)
    if faults := id_faults(texts, wanted, expected_in="the training file"):
        raise FoldFileError(f"--fold-file {path}: {'; '.join(faults)}; {step}")
    numbers = pd.to_numeric(table[fold_name], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all() or len(np.unique(numbers)) < 2:
        raise FoldFileError(
            f"--fold-file {path}: column fold: found "
            f"{len(np.unique(numbers[np.isfinite(numbers)]))} folds and "
            f"{int((~np.isfinite(numbers)).sum())} rows without one, expected two folds or more"
        )
    order = pd.Index(texts.tolist()).get_indexer(pd.Index(wanted.tolist()))
    return np.unique(numbers[order], return_inverse=True)[1].astype(np.int16)
