"""The files that a notebook made on Kaggle, fetched from the storage; a break is resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import requests

from pipelines.kaggle.errors import Subject, as_kaggle_error
from pipelines.kaggle.retry import Patience
from pipelines.kaggle.session import mount
from pipelines.kaggle.transfer import fetch

PARTS = ".parts"  # a folder for bytes of a file that is not whole yet
KEPT = "the files received are kept: the same command resumes there"


@dataclass(frozen=True)
class Output:
    """A file that a notebook made.

    Attributes:
        name: Its path, seen from where the notebook worked.
        url: Where it is fetched from, signed.
    """

    name: str
    url: str


def fetch_all(
    subject: Subject, outputs: Sequence[Output], folder: Path, patience: Patience
) -> None:
    """Fetch the files into a folder, each whole or not at all; those that are there are kept.

    Raises:
        KaggleError: One could not be fetched, or would lie outside the folder.
        OSError: The folder cannot be written.
    """
    with requests.Session() as session, as_kaggle_error(replace(subject, left=KEPT), patience):
        mount(session, patience)
        for output in outputs:
            target = _inside(subject, output.name, folder)
            if not target.is_file():
                _fetch(session, output, target, folder / PARTS, patience)


def _inside(subject: Subject, name: str, folder: Path) -> Path:
    """Where a file of that name belongs."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise subject.failed(
            f"the output of {subject.slug} has a file {name!r}, which does not lie in its folder",
            f"look at {subject.page}",
        )
    return folder / path


def _fetch(
    session: requests.Session, output: Output, target: Path, parts: Path, patience: Patience
) -> None:
    def ask() -> requests.Response:
        response = session.get(output.url, stream=True)
        response.raise_for_status()
        return response

    fetched = fetch(ask, session, parts, patience=patience)
    assert fetched is not None, "every file is asked for"
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched[0].replace(target)
