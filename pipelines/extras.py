"""Libraries that an installation may lack: the extra that contains each, and the line that says so.

A run needs none of them. A command that does ends in that line; what only follows a run, as its
figures and its MLflow record do, is left out with a warning.
"""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {  # by what is imported: the library's name, and the extra
    "mlflow": ("MLflow", "tracking"),
    "kaggle": ("Kaggle's client", "kaggle"),
    "kagglesdk": ("Kaggle's client", "kaggle"),
    "optuna": ("Optuna", "tuning"),
    "matplotlib": ("matplotlib", "report"),
    "transformers": ("transformers", "text"),
}


class MissingLibraryError(ImportError):
    """A library of an extra is not installed; the text says what to type."""

    exit_code = 2

    def __init__(self, library: str) -> None:
        name, extra = EXTRAS[library]
        line = f"{name} is not installed; type: pip install 'foldwise[{extra}]'"
        super().__init__(line, name=library)


def need(library: str) -> None:
    """Check that a library of an extra is there, without importing it.

    Raises:
        MissingLibraryError: It is not installed.
    """
    if find_spec(library) is None:
        raise MissingLibraryError(library)


def missing(error: BaseException) -> MissingLibraryError | None:
    """What to tell of an import that failed; None where it failed for another reason."""
    if isinstance(error, MissingLibraryError):
        return error
    library = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    is_missing = isinstance(error, ModuleNotFoundError) and library in EXTRAS
    return MissingLibraryError(library) if is_missing and find_spec(library) is None else None
