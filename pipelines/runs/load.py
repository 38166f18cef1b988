"""A competition's data: stages 1 and 2, without training anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.competitions import load_competition
from pipelines.raw_files.sources import choose_source
from pipelines.stages.download import download
from pipelines.stages.preprocess import prepare
from pipelines.workspace.layout import Workspace

if TYPE_CHECKING:
    from pipelines.configuration.competition import Competition
    from pipelines.stages.preprocess import Prepared


def load(
    competition: str | Competition, source: str | Path = "auto", *, root: Path | str = "."
) -> Prepared:
    """The typed tables, target, ids and folds of a competition.

    Args:
        competition: Its name, as in `foldwise list`, or the competition itself.
        source: `auto`, `kaggle`, `sample`, or the path of a folder or zip.
        root: The workspace; raw files are kept in its `data/`.

    Raises:
        UnknownCompetitionError: No competition has that name.
        SourceError: The source does not exist or cannot be used.
        DownloadError: The raw files could not be put in place.
        TableError: A file does not match the competition's columns.
    """
    found = load_competition(competition) if isinstance(competition, str) else competition
    chosen = choose_source(str(source), found)
    return prepare(found, download(found, chosen, Workspace(Path(root)).data))
