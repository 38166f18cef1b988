"""From a slug or files to a competition file, and what a person should know of it."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.drafting.answers import Answers, read_answers
from pipelines.drafting.columns import ColumnFacts, look_at
from pipelines.drafting.files import Tables, read_tables
from pipelines.drafting.folds import FoldGuess, guess_folds
from pipelines.drafting.inputs import Inputs, sort_columns
from pipelines.drafting.members import n_outputs_of, work_of
from pipelines.drafting.notes import Note, find_notes
from pipelines.drafting.places import Place, find_place, read_slug
from pipelines.drafting.source import Draft, render
from pipelines.drafting.target import (
    Suggestion,
    TargetGuess,
    choose,
    guess,
    look_at_target,
    suggest,
)
from pipelines.kaggle import client
from pipelines.kaggle.errors import ALTERNATIVE, KaggleError
from pipelines.kaggle.retry import Patience
from pipelines.raw_files.sources import open_path
from pipelines.workspace.files import write_text
from pipelines.workspace.layout import Workspace

if TYPE_CHECKING:
    from pipelines.configuration.competition import Kaggle
    from pipelines.console import Narrator

Ask = Callable[[Sequence[Suggestion]], str]


class NothingToLearnError(ValueError):
    """Files without a column that a model could learn from."""

    exit_code = 3


class ColumnsDifferError(ValueError):
    """A test file with columns that the training file lacks."""

    exit_code = 3


@dataclass(frozen=True)
class DraftRequest:
    """What a person typed.

    Attributes:
        slug: Kaggle's.
        source: A folder or archive; None for Kaggle.
        name: Of the competition; None for the slug.
        target: The target column; None to tell it from the files.
        metric: Its name; None to ask or guess.
        force: Whether a file that is there may be replaced.
    """

    slug: str
    source: str | None = None
    name: str | None = None
    target: str | None = None
    metric: str | None = None
    force: bool = False


def draft(
    request: DraftRequest,
    narrator: Narrator,
    *,
    ask: Ask | None = None,
    patience: Patience | None = None,
    root: Path = Path(),
) -> Place:
    """Write a competition file.

    Args:
        request: What was typed.
        narrator: Says what was found.
        ask: Asks for the metric; None where nobody answers.
        patience: How long to wait for Kaggle.
        root: The workspace.

    Raises:
        DraftPlaceError: The name or slug cannot be used, or the file is there already.
        NoSuchFilesError: The three files cannot be found.
        NoSuchTargetError: The target cannot be found.
        MetricError: The metric cannot be found, or does not suit the target.
        KaggleError: Kaggle refused or could not be reached.
        TableError: A file is no table.
        ColumnsDifferError: The test file has a column that the training file lacks.
        NothingToLearnError: No column is of use.
    """
    kaggle = read_slug(request.slug)
    place = find_place(kaggle, request.name, force=request.force)
    with tempfile.TemporaryDirectory(prefix="foldwise-new-") as scratch:
        folder = Path(scratch)
        source = _source(request, kaggle, place, narrator, patience or Patience(), root)
        tables = read_tables(source, folder)
    drafted = _draft(tables, request, kaggle, place, ask)
    _tell(drafted, tables, narrator)
    place.path.parent.mkdir(parents=True, exist_ok=True)
    write_text(place.path, render(drafted))
    narrator.say("file", str(place.path))
    narrator.say("next", _next(request, place))
    return place


def _source(
    request: DraftRequest,
    kaggle: Kaggle,
    place: Place,
    narrator: Narrator,
    patience: Patience,
    root: Path,
) -> Path:
    """The folder or archive with the files; from Kaggle, where none was given."""
    if request.source is not None:
        return open_path(request.source)
    folder = Workspace(root).data / place.name
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f".{kaggle.slug.split('/')[-1]}.zip"
    narrator.say("source", kaggle.page)
    telling = replace(patience, tell=lambda text: narrator.warn(f"Kaggle: {text}"))
    try:
        client.download(
            kaggle.slug, kaggle.kind, archive, folder / ".kaggle.parts", patience=telling
        )
    except KaggleError as error:  # there is no sample of a competition that is not written yet
        raise KaggleError(
            str(error).replace(ALTERNATIVE, "without Kaggle, use --source PATH")
        ) from (error)
    return archive


def _draft(
    tables: Tables, request: DraftRequest, kaggle: Kaggle, place: Place, ask: Ask | None
) -> Draft:
    answers = read_answers(tables, request.target)
    facts = look_at_target(tables, answers)
    chosen = choose(suggest(facts, answers), facts, request.metric, ask)
    target = guess(facts, answers, chosen)
    columns = _columns(tables, answers)
    folds = guess_folds(tables, answers, columns, n_outputs=n_outputs_of(target))
    inputs = _inputs(tables, answers, columns, folds)
    return Draft(
        name=place.name,
        kaggle=kaggle,
        files=tables.files,
        answers=answers,
        target=target,
        folds=folds,
        inputs=inputs,
        columns=tuple(columns),
        notes=tuple(find_notes(tables, answers, columns, facts)),
        is_shipped=place.is_shipped,
        work=work_of(inputs, target, len(tables.train), folds.n_folds),
    )


def _columns(tables: Tables, answers: Answers) -> list[ColumnFacts]:
    """Facts of the columns; the id is one of them where it is a date."""
    _check_columns(tables)
    id_ = answers.id_column
    columns = look_at(tables.train, tables.test, [*answers.targets, *([id_] if id_ else [])])
    if id_ is not None and not any(column.kind == "date" for column in columns):
        ids = look_at(tables.train[[id_]], tables.test[[id_]], [])
        columns += [column for column in ids if column.kind == "date"]
    return columns


def _check_columns(tables: Tables) -> None:
    lacking = [name for name in tables.test if name not in tables.train]
    if lacking:
        train, test = (tables.files.names[role] for role in ("train", "test"))
        raise ColumnsDifferError(
            f"{test}: found the column {lacking[0]!r}, expected those of {train}, which lacks it; "
            f"give it one name in both files, or take it out of {test}"
        )


def _inputs(
    tables: Tables, answers: Answers, columns: Sequence[ColumnFacts], folds: FoldGuess
) -> Inputs:
    inputs = sort_columns(columns, tables, folds.group)
    if folds.groups_by_id and answers.id is not None:
        of_id = ColumnFacts(answers.id, "text"), "its first part names the group"
        inputs = replace(inputs, unused=(*inputs.unused, of_id))
    if not inputs.n_numbers + inputs.n_tree_inputs(1):
        raise NothingToLearnError(
            f"{tables.files.names['train']}: found no column that both files have and a model "
            f"could learn from, among {', '.join(map(repr, tables.train)) or 'none'}; write the "
            "competition file by hand, as in the README's Add a competition"
        )
    return inputs


def _tell(drafted: Draft, tables: Tables, narrator: Narrator) -> None:
    """What was found, one fact a line."""
    target, folds = drafted.target, drafted.folds
    n_train, n_test = len(tables.train), len(tables.test)
    narrator.say("rows", f"{n_train:,} for training, {n_test:,} for test")
    narrator.say("id", _of_id(drafted.answers))
    narrator.say("target", f"{', '.join(target.names)}: {_described(target)}")
    why = f" (guess: {target.reason}; --metric decides)" if target.reason else ""
    narrator.say("metric", f"{target.metric}{why}")
    how = f"by {folds.time or folds.group}" if folds.time or folds.group else "at random"
    narrator.say("folds", f"{folds.n_folds} {how}" + (f": {folds.reason}" if folds.reason else ""))
    for note in drafted.notes:
        narrator.say("note", _line(note))


def _of_id(answers: Answers) -> str:
    if answers.id is None:
        return "none: rows in the test file's order"
    return f"{answers.id}: the row's number" if answers.row_numbers else answers.id


def _described(target: TargetGuess) -> str:
    kind = target.task.kind
    n = len(target.classes)
    return f"{kind} of {n} classes" if target.classes and kind != "multilabel" else kind


def _line(note: Note) -> str:
    text = f"{note.word}: " + (note.text if note.column is None else f"{note.column} {note.text}")
    return "".join(character if character.isprintable() else " " for character in text)


def _next(request: DraftRequest, place: Place) -> str:
    source = [] if request.source is None else ["--source", request.source]
    folder = [] if place.folder is None else ["--competitions", place.folder]
    return shlex.join(["foldwise", "run", place.name, *source, *folder])
