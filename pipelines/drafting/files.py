"""Which files of a folder or archive are the training, test and sample file, and their content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from features.tables.json_records import keys_of, read_json_records
from features.tables.reader import header_of, read_table
from features.tables.schema import Column
from features.tables.text_file import TableError
from pipelines.raw_files.archives import unpack
from pipelines.raw_files.file_sets import paths
from submissions.form import read_sample

TABLES = re.compile(r"\.(csv|tsv|txt|json)$", re.IGNORECASE)
PACKED = re.compile(r"\.(gz|zip)$", re.IGNORECASE)
SEPARATORS = (",", ";", "\t", "|")
# What a file's name is without case and punctuation; the first that fits exactly one file decides.
PATTERNS = {
    "train": (r"train", r"training", r"train(ing)?(data|set)", r".*train", r"train.*"),
    "test": (r"test", r"testing", r"test(ing)?(data|set)", r".*test", r"test.*"),
    "sample_submission": (r"samplesubmission", r".*samplesub.*", r".*submission.*", r"sample.*"),
}
FILES = {
    "train": "training file",
    "test": "test file",
    "sample_submission": "sample submission",
}
SHOWN = 8


class NoSuchFilesError(ValueError):
    """A folder or archive in which the three files cannot be found."""

    exit_code = 3


@dataclass(frozen=True)
class FileFacts:
    """The names of the three files, and how the tables are written.

    Attributes:
        names: By role: `train`, `test`, `sample_submission`.
        separator: Between the fields of training and test file.
        json_records: Whether they are JSON records.
    """

    names: dict[str, str]
    separator: str = ","
    json_records: bool = False


@dataclass(frozen=True)
class Tables:
    """The content of the three files as texts, just as it stands in them."""

    files: FileFacts
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame


def find_names(source: Path) -> dict[str, str]:
    """The names of the three files in a folder or archive, by role.

    Raises:
        NoSuchFilesError: One of them is not there, or several files could be it.
        ArchiveError: The archive is damaged or unsafe.
    """
    if source.is_dir():
        entries = [entry.name for entry in sorted(source.iterdir()) if entry.is_file()]
        listed = [PACKED.sub("", name) for name in entries]
    else:
        listed = [PACKED.sub("", path.rsplit("/", 1)[-1]) for path in paths(source)]
    names = sorted({name for name in listed if TABLES.search(name)})
    found: dict[str, str] = {}
    for role in ("sample_submission", "train", "test"):
        left = [name for name in names if name not in found.values()]
        found[role] = _pick(role, left, source, names)
    return {role: found[role] for role in PATTERNS}


def _pick(role: str, names: Sequence[str], source: Path, held: Sequence[str]) -> str:
    several: list[str] = []
    for pattern in PATTERNS[role]:
        fits = [name for name in names if re.fullmatch(pattern, _bare(name))]
        if len(fits) == 1:
            return fits[0]
        several = several or fits
    found = f"several that could be it: {_listed(several)}" if several else "none"
    usual = "sample_submission.csv" if role == "sample_submission" else f"{role}.csv"
    raise NoSuchFilesError(
        f"{source}: which file is the {FILES[role]}? Found {found}, expected one called {usual} "
        f"(the tables here: {_listed(held) or 'none'}); give --source a folder where the three "
        "files have their usual names"
    )


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", TABLES.sub("", name).lower())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def read_tables(source: Path, scratch: Path) -> Tables:
    """Find and read the three files.

    Args:
        source: A folder or an archive.
        scratch: An empty folder for what is unpacked.

    Raises:
        NoSuchFilesError: The three files cannot be found.
        ArchiveError: The archive is damaged or unsafe.
        TableError: A file is no table.
        SampleError: The sample submission is no table.
    """
    names = find_names(source)
    found = {role: _unpacked(source, name, scratch) for role, name in names.items()}
    try:
        return _tables(names, found)
    except TableError as error:
        raise _of_archive(error, source, scratch) from None


def _tables(names: dict[str, str], found: Mapping[str, Path]) -> Tables:
    is_json = found["train"].suffix.lower() == ".json"
    separator = "," if is_json else _separator(found["train"])
    files = FileFacts(names, separator, is_json)
    return Tables(
        files,
        train=_read(found["train"], files),
        test=_read(found["test"], files),
        sample=read_sample(found["sample_submission"]),
    )


def _unpacked(source: Path, name: str, scratch: Path) -> Path:
    """A file of the folder itself, or its copy in the scratch folder where it is packed."""
    if (source / name).is_file():
        return source / name
    packed = [source / f"{name}{ending}" for ending in (".gz", ".zip")]
    unpack(next((path for path in packed if path.is_file()), source), [name], scratch)
    return scratch / name


def _of_archive(error: TableError, source: Path, scratch: Path) -> TableError:
    """The same, with the archive's name in place of the scratch folder's, which goes away."""
    file, _, _ = str(error).partition(": ")
    if not file.startswith(str(scratch)):
        return error
    faults = [
        replace(fault, next_step="unpack the archive and look there") for fault in error.faults
    ]
    return TableError(f"{Path(file).name} in {source}", faults)


def _separator(path: Path) -> str:
    """The separator that takes the first line apart into the most columns."""
    return max(SEPARATORS, key=lambda mark: len(header_of(path, separator=mark)))


def _read(path: Path, files: FileFacts) -> pd.DataFrame:
    """A table as texts; an empty field is the text ''."""
    if files.json_records:
        columns = [Column(name=name, kind="text", missing=True) for name in keys_of(path)]
        return read_json_records(path, columns).fillna("")
    # The reader refuses a file that names a column twice, in a line of its own.
    names = dict.fromkeys(header_of(path, separator=files.separator))
    columns = [Column(name=name, kind="text", keep_empty=True) for name in names]
    return read_table(path, columns, separator=files.separator)
