"""The text of a competition file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.configuration.competition import Kaggle
from pipelines.drafting import encoders
from pipelines.drafting.answers import Answers
from pipelines.drafting.code import (
    Node,
    call,
    commented,
    for_each,
    literal,
    literals,
    mapped,
    statement,
    tupled,
)
from pipelines.drafting.columns import ColumnFacts
from pipelines.drafting.files import FileFacts
from pipelines.drafting.folds import FoldGuess
from pipelines.drafting.inputs import Inputs
from pipelines.drafting.members import members
from pipelines.drafting.notes import Note
from pipelines.drafting.sizes import Work, network_size
from pipelines.drafting.target import TargetGuess

FOLDWISE_NAMES = re.compile(
    r"(?<![.\w])(?:[A-Z][A-Za-z]+(?=\()|date_parts(?=\()|EncoderBlocks|EncoderChain)"
)
LISTS = {"int": "INTS", "float": "FLOATS", "bool": "FLAGS"}
COMMENTED = {
    "drift": "training and test rows differ",
    "leak?": "all but tells the target; known in time?",
    "dates": "guess: day before month or after it?",
}
LONG_COMMENT = 90


@dataclass(frozen=True)
class Draft:
    """Everything that the file says."""

    name: str
    kaggle: Kaggle
    files: FileFacts
    answers: Answers
    target: TargetGuess
    folds: FoldGuess
    inputs: Inputs
    columns: tuple[ColumnFacts, ...]
    notes: tuple[Note, ...]
    work: Work
    is_shipped: bool


def render(draft: Draft) -> str:
    """The whole file."""
    parts = [*_functions(draft), _competition(draft)]
    body = "\n\n\n".join(parts)
    constants = "\n".join(encoders.constants(draft.inputs, draft.target.n_means))
    text = f"{constants}\n\n\n{body}\n"
    imports = _imports(text, is_shipped=draft.is_shipped)
    return f"{_docstring(draft)}\n\n{imports}\n\n{text}"


def _docstring(draft: Draft) -> str:
    title = _title(draft.kaggle.slug)
    notes = [f"- {_safe(_named(note))}" for note in draft.notes if note.column is None]
    if not notes:
        return f'"""{title}, drafted from its files."""'
    return "\n".join([f'"""{title}, drafted from its files.', "", *notes, '"""'])


def _title(slug: str) -> str:
    words = slug.split("/")[-1].replace("-", " ").replace("_", " ")
    return words[0].upper() + words[1:]


def _named(note: Note) -> str:
    return note.text if note.column is None else f"{note.column!r} {note.text}"


def _safe(text: str) -> str:
    """A text that may stand in a comment or docstring: one line, nothing that ends it."""
    plain = "".join(c if c.isprintable() and c not in '"\\' else " " for c in text)
    return plain if len(plain) <= LONG_COMMENT else plain[: LONG_COMMENT - 1] + "…"


def _imports(text: str, *, is_shipped: bool) -> str:
    """The imports, sorted; foldwise is another package where the file is not shipped with it."""
    found = set(FOLDWISE_NAMES.findall(_without_literals(text)))
    functions = sorted(name for name in found if name.islower())
    names = [*sorted(found - set(functions)), *functions]
    blank = "\n\n" if is_shipped else "\n"
    head = f"import pandas as pd{blank}" if "pd." in _without_literals(text) else ""
    one_line = f"from foldwise import {', '.join(names)}"
    if len(one_line) <= 100:
        return head + one_line
    return head + "\n".join(["from foldwise import (", *(f"    {name}," for name in names), ")"])


def _without_literals(text: str) -> str:
    return re.sub(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", '""', text)


def _functions(draft: Draft) -> Iterator[str]:
    inputs, n_means = draft.inputs, draft.target.n_means
    added = "\n".join(encoders.features(inputs, draft.folds, draft.answers.id))
    if added:
        yield added
    shows_days = draft.folds.time is None
    yield "\n".join(encoders.for_trees(inputs, n_means, shows_days=shows_days))
    size = network_size(draft.work)
    yield "\n".join(encoders.for_networks(inputs, n_means, size))


def _competition(draft: Draft) -> str:
    fields: dict[str, Node] = {}
    comments: dict[int, str] = {}
    for name, node, comment in _fields(draft):
        if comment:
            comments[len(fields)] = comment
        fields[name] = node
    return statement("COMPETITION = ", commented(call("Competition", **fields), comments))


def _fields(draft: Draft) -> Iterator[tuple[str, Node, str]]:
    """Name, value and comment of each field."""
    answers, target = draft.answers, draft.target
    yield "name", literal(draft.name), ""
    yield "title", literal(_title(draft.kaggle.slug)), ""
    kind: dict[str, Node] = {"kind": literal("dataset")} if draft.kaggle.kind == "dataset" else {}
    yield "kaggle", call("Kaggle", slug=literal(draft.kaggle.slug), **kind), ""
    yield "files", mapped({role: literal(name) for role, name in draft.files.names.items()}), ""
    if written := _file_format(draft.files, row_numbers=answers.row_numbers):
        yield "file_format", written, ""
    yield "id", literal(answers.id), "" if answers.id else "rows in the test file's order"
    if answers.submission_id is not None:
        yield "submission_id", literal(answers.submission_id), ""
    several = len(target.names) > 1
    yield "target", _texts(target.names) if several else literal(target.names[0]), ""
    if answers.submission_column is not None:
        yield "submission_column", literal(answers.submission_column), ""
    if target.is_task_given:
        yield "task", literal(target.task.kind), ""
    if target.classes:
        yield "classes", _texts(target.classes), _of_classes(draft)
    guessed = f"guess: {_safe(target.reason)}; --metric decides" if target.reason else ""
    yield "metric", literal(target.metric), guessed
    if target.form is not None:
        yield "form", literal(target.form), ""
    if marks := _marks(draft.columns):
        yield "missing", literal(marks), ""
    columns, column_comments = _columns(draft)
    yield "columns", commented(tupled(columns), column_comments), ""
    if draft.inputs.dates or draft.folds.groups_by_id:
        yield "features", "add_features", ""
    yield "folds", _folds(draft.folds), _safe(draft.folds.reason)
    yield "members", members(draft.work, target, draft.inputs), ""


def _of_classes(draft: Draft) -> str:
    target = draft.target
    one_column = target.task.kind == "binary" and len(draft.answers.columns) == 1
    if one_column and target.form is None and target.metric not in ("accuracy", "f1", "mcc"):
        return "the submission holds the probability of the second one"
    return ""


def _texts(values: Sequence[object]) -> Node:
    return literals(values)


def _file_format(files: FileFacts, *, row_numbers: bool) -> Node | None:
    fields: dict[str, Node] = {
        **({} if files.separator == "," else {"separator": literal(files.separator)}),
        **({"row_numbers": "True"} if row_numbers else {}),
        **({"json_records": "True"} if files.json_records else {}),
    }
    return call("FileFormat", **fields) if fields else None


def _marks(columns: Sequence[ColumnFacts]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(mark for column in columns for mark in column.marks))


def _columns(draft: Draft) -> tuple[list[Node], dict[int, str]]:
    """The field `columns`, and comments by position."""
    inputs = draft.inputs
    found: list[tuple[Node, str]] = []
    for kind, title in LISTS.items():
        if of_kind := [column for column in inputs.numbers if column.kind == kind]:
            found.append((_group(of_kind, title), _about(draft, of_kind)))
    if inputs.few:
        found.append((_of_levels(inputs.few), _about(draft, inputs.few)))
    parts = (("CATEGORIES", inputs.many), ("TEXTS", inputs.texts), ("WORDS", inputs.words))
    found += [(_group(part, title), _about(draft, part)) for title, part in parts if part]
    by_name = {column.name: column for column in draft.columns}
    for date in inputs.dates:
        column = by_name[date.name]
        found.append((_one(column), _about(draft, [column])))
    for column, reason in inputs.unused:
        found.append((_one(column), f"not used: {reason}"))
    return [node for node, _ in found], {at: text for at, (_, text) in enumerate(found) if text}


def _about(draft: Draft, columns: Sequence[ColumnFacts]) -> str:
    """What the notes report of these columns, on one line."""
    names = {column.name for column in columns}
    found: dict[str, list[str]] = {}
    for note in draft.notes:
        if note.column in names and note.word in COMMENTED:
            found.setdefault(COMMENTED[note.word], []).append(str(note.column))
    return _safe("; ".join(f"{words}: {', '.join(named)}" for words, named in found.items()))


def _group(columns: Sequence[ColumnFacts], title: str) -> Node:
    """One expression for all columns of a kind."""
    missing: dict[str, Node] = (
        {"missing": "True"} if any(column.has_empty for column in columns) else {}
    )
    one = call("Column", name="name", kind=literal(columns[0].kind), **missing)
    return for_each(one, f"for name in {title}")


def _of_levels(columns: Sequence[ColumnFacts]) -> Node:
    missing: dict[str, Node] = (
        {"missing": "True"} if any(column.has_empty for column in columns) else {}
    )
    one = call("Column", name="name", kind='"text"', **missing, allowed="levels")
    return for_each(one, "for name, levels in LEVELS.items()")


def _one(column: ColumnFacts) -> Node:
    missing: dict[str, Node] = {"missing": "True"} if column.has_empty else {}
    written: dict[str, Node] = (
        {"format": literal(column.format)} if column.format is not None else {}
    )
    only: dict[str, Node] = {} if column.in_test else {"train_only": "True"}
    kind = literal(column.kind)
    return call("Column", name=literal(column.name), kind=kind, **missing, **only, **written)


def _folds(folds: FoldGuess) -> Node:
    more: dict[str, Node] = {
        **({"group": literal(folds.group)} if folds.group else {}),
        **({"time": literal(folds.time)} if folds.time else {}),
    }
    return call("FoldPlan", n_folds=str(folds.n_folds), **more)
