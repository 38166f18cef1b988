"""The rows and folds that all members are joined to: those of the newest run, else of the files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from features.folds import Folds
from pipelines.blending.given_folds import read_folds
from pipelines.blending.members import runs_to_blend
from pipelines.blending.request import BlendRequestError
from pipelines.configuration.assignments import as_stored
from pipelines.runs.reported import raw_files_of
from pipelines.stages.download import fetch
from pipelines.stages.preprocess import Prepared, prepare
from pipelines.stages.run_contents import RunContents
from pipelines.workspace.layout import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.blending.request import BlendRequest
    from pipelines.configuration.competition import Competition
    from pipelines.console import Narrator
    from pipelines.raw_files.raw import RawFiles
    from pipelines.workspace.summary import Summary


@dataclass(frozen=True)
class Basis:
    """What all members are joined to.

    Attributes:
        competition: With the settings of the newest run.
        raw: Its raw files.
        prepared: Its tables, target and folds.
        folds: On which weights are fitted and scored: the run's, or those of `--fold-file`.
        fold_file: That file; None without one.
        runs: To be blended, the oldest first.
    """

    competition: Competition
    raw: RawFiles
    prepared: Prepared
    folds: Folds
    fold_file: Path | None
    runs: tuple[Summary, ...]


def basis_of(competition: Competition, request: BlendRequest, narrator: Narrator) -> Basis:
    """The rows of the newest run that is blended; without one those of the competition's files.

    Raises:
        BlendRequestError: There is neither a run nor a file.
        NoRunError: A named run does not exist.
        Exception: Stage 1's and 2's own errors, each with an `exit_code`.
    """
    runs = runs_to_blend(request.root, competition, request.runs) if request.use_runs else []
    typed = request.files
    if not runs and not (typed.oof or typed.pairs or typed.weights):
        raise BlendRequestError(
            f"nothing to blend: {competition.name} has no finished run; type foldwise run "
            f"{competition.name}, or give --oof FILE --sub FILE"
        )
    if runs and request.source is None:
        basis = _of_run(competition, runs, request, narrator)
    else:
        raw = fetch(
            competition,
            narrator,
            source=request.source or "auto",
            root=request.root,
            patience=request.patience,
        )
        prepared = prepare(competition, raw)
        same = _same_data(runs, raw.digest, request, narrator)
        basis = Basis(competition, raw, prepared, prepared.folds, None, same)
    file = request.files.fold_file
    if file is None:
        return basis
    return replace(basis, folds=_given(file, basis.prepared), fold_file=file)


def _given(file: Path, prepared: Prepared) -> Folds:
    return Folds(read_folds(file, prepared.train_ids)[None])


def _of_run(
    competition: Competition, runs: list[Summary], request: BlendRequest, narrator: Narrator
) -> Basis:
    newest = max(runs, key=lambda summary: summary.run)
    contents = RunContents(Workspace(request.root).run(competition.name, newest.run))
    digest = contents.described["data"]
    raw = raw_files_of(request.root, newest, digest)
    as_then = as_stored(competition, contents.described["configuration"])
    prepared = contents.prepared
    same = _same_data(runs, digest, request, narrator)
    return Basis(as_then, raw, prepared, prepared.folds, None, same)


def _same_data(
    runs: list[Summary], digest: str, request: BlendRequest, narrator: Narrator
) -> tuple[Summary, ...]:
    """The runs that were made of the same raw files; the others are named and left out."""
    same = []
    for summary in runs:
        layout = Workspace(request.root).run(summary.competition, summary.run)
        if RunContents(layout).described["data"] == digest:
            same.append(summary)
        else:
            narrator.warn(f"run {summary.run} was made of other raw files; it is left out")
    return tuple(same)
