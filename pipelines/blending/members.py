"""What is blended: members of finished runs, and pairs of files, all in the competition's order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipelines.blending.alignment import aligned
from pipelines.blending.file_pairs import FilePair
from pipelines.blending.prediction_files import Expected, read
from pipelines.stages.run_contents import RunContents
from pipelines.workspace import stage_cache
from pipelines.workspace.files import sha256
from pipelines.workspace.finished_runs import NoRunError, finished, named
from pipelines.workspace.layout import Workspace
from pipelines.workspace.stored import DamagedFileError, pass_over

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.configuration.competition import Competition
    from pipelines.stages.preprocess import Prepared
    from pipelines.workspace.summary import Summary


@dataclass(frozen=True)
class BlendMember:
    """One member of a blend.

    Attributes:
        name: As pages show it.
        origin: The run, or the two files.
        oof: `(n_train, n_columns)`; NaN for rows that no fold holds out.
        test: `(n_test, n_columns)`.
        digest: A sha256 of what it was read from.
        fold: `(n_train,)`, the folds that its file tells; None where it does not.
        is_foreign: Whether it comes from files.
        notes: By file, what a person should know of how it was read.
    """

    name: str
    origin: str
    oof: np.ndarray
    test: np.ndarray
    digest: str
    fold: np.ndarray | None = None
    is_foreign: bool = False
    notes: tuple[tuple[Path, str], ...] = ()


def expected_of(competition: Competition, prepared: Prepared, rows: str) -> Expected:
    """What a file of predictions of the training or of the test rows should hold."""
    task, form = competition.predicts, prepared.form
    ids = prepared.train_ids if rows == "training" else prepared.test_ids
    labels = tuple(str(label) for label in competition.classes)
    names: list[tuple[str, ...]] = [(name,) for name in competition.column_names]
    if task.chooses_class:
        answers = {str(k): v for k, v in competition.answer_columns.items()}
        names = [
            tuple(dict.fromkeys((label, name, *filter(None, [answers.get(label)]))))
            for label, name in zip(labels, competition.column_names, strict=True)
        ]
        if len(form.columns) == len(names):
            places = form.places or tuple(range(len(names)))
            for column, place in zip(form.columns, places, strict=True):
                names[place] = tuple(dict.fromkeys((*names[place], column)))
    id_names = dict.fromkeys(filter(None, (competition.id, competition.submission_id, form.id)))
    return Expected(
        task=task,
        columns=tuple(names),
        id_names=tuple(id_names),
        ids=ids.astype(object).reset_index(drop=True),
        rows=rows,
        labels=labels if task.chooses_class else (),
        answers=(*competition.targets, *form.columns[:1]),
    )


def from_files(
    pairs: Sequence[FilePair], competition: Competition, prepared: Prepared
) -> Iterator[BlendMember]:
    """Each pair of files as a member.

    Raises:
        PredictionFileError: A file cannot be used.
    """
    of_train, of_test = (expected_of(competition, prepared, rows) for rows in ("training", "test"))
    for pair in pairs:
        oof, test = (
            aligned(read(pair.oof, of_train), of_train),
            aligned(read(pair.test, of_test), of_test),
        )
        yield BlendMember(
            name=pair.name,
            origin=f"{pair.oof}, {pair.test}",
            oof=oof.values,
            test=test.values,
            digest=f"{sha256(pair.oof)} {sha256(pair.test)}",
            fold=oof.fold,
            is_foreign=True,
            notes=tuple((file.path, note) for file in (oof, test) for note in file.notes),
        )


def runs_to_blend(root: Path, competition: Competition, ids: Sequence[str]) -> list[Summary]:
    """The finished runs that were named, else all of the competition; the oldest first.

    A run that is damaged is passed over, unless a person named it.

    Raises:
        NoRunError: A named run does not exist, is unfinished, or is a blend itself.
        DamagedFileError: A named run's files were changed.
    """
    workspace = Workspace(root)
    known = finished(workspace, competition.name)
    if not ids:
        runs = [summary for summary in known if summary.kind == "run"]
        return [summary for summary in runs if _is_whole(summary, workspace)][::-1]
    chosen = [named(workspace, competition.name, run_id, known) for run_id in ids]
    for summary in chosen:
        if summary.kind != "run":
            raise NoRunError(
                f"run {summary.run} is a blend, and a blend of blends cannot be scored honestly; "
                "name the runs of its members"
            )
        stage_cache.check(workspace.run(summary.competition, summary.run))
    return chosen


def _is_whole(summary: Summary, workspace: Workspace) -> bool:
    """Whether no file of the run's stages has changed; where one has, it is reported."""
    try:
        stage_cache.check(workspace.run(summary.competition, summary.run))
    except DamagedFileError as error:
        pass_over(error)
        return False
    return True


def from_runs(
    runs: Iterable[Summary], root: Path, prepared: Prepared, *, are_named: bool
) -> Iterator[BlendMember]:
    """The members of runs; a run of other rows is passed over, unless a person named it.

    Raises:
        NoRunError: A named run has other rows than the newest.
    """
    seen: dict[str, str] = {}
    for summary in runs:
        try:
            found = list(_members_of(summary, root, prepared))
        except NoRunError as error:
            if are_named:
                raise
            pass_over(error)
            continue
        for member in found:
            if member.digest not in seen:  # a stage that several runs share counts once
                seen[member.digest] = member.name
                yield member


def _members_of(summary: Summary, root: Path, prepared: Prepared) -> Iterator[BlendMember]:
    layout = Workspace(root).run(summary.competition, summary.run)
    contents = RunContents(layout)
    train, test = (
        _places(summary, of_run, wanted)
        for of_run, wanted in (
            (contents.prepared.train_ids, prepared.train_ids),
            (contents.prepared.test_ids, prepared.test_ids),
        )
    )
    for line in summary.members:
        predictions = contents.predictions_of(line.name)
        yield BlendMember(
            name=f"{summary.run}/{line.name}",
            origin=summary.run,
            oof=predictions.oof[train],
            test=predictions.test[test],
            digest=stage_cache.content_of(layout.train(line.name)),
        )


def _places(summary: Summary, found: pd.Series, wanted: pd.Series) -> np.ndarray:
    places: np.ndarray = pd.Index(found.tolist()).get_indexer(pd.Index(wanted.tolist()))
    if len(found) != len(wanted) or (places < 0).any():
        raise NoRunError(
            f"run {summary.run} was made of other rows ({len(found):,}, expected "
            f"{len(wanted):,}); leave it out, or make it again"
        )
    return places
