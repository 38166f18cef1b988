"""Gathers the members of a blend, checks each, and reports on one line what is wrong or unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from features.folds import Folds
from models.ensembling.goal import Goal
from models.ensembling.suspects import suspicions
from pipelines.blending.file_pairs import pairs_of
from pipelines.blending.members import BlendMember, from_files, from_runs
from pipelines.blending.request import BlendRequest, BlendRequestError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.blending.basis import Basis
    from pipelines.console import Narrator

KEEP = "--keep-suspects blends it all the same"


@dataclass(frozen=True)
class Gathered:
    """The members, in the order in which they are blended.

    Attributes:
        members: At least one.
        folds: On which weights are fitted and scored.
        fold_origin: Where the folds come from, in a few words.
        remarks: What the person was warned of.
    """

    members: tuple[BlendMember, ...]
    folds: Folds
    fold_origin: str
    remarks: tuple[str, ...]


def gather(basis: Basis, request: BlendRequest, narrator: Narrator) -> Gathered:
    """All members that can be blended; the others are named on a line each.

    Raises:
        BlendRequestError: None is left.
        PredictionFileError: A file cannot be used.
    """
    files = request.files
    pairs = pairs_of(files.oof, files.sub, files.pairs)
    are_named = bool(request.runs)
    found = [
        *from_runs(basis.runs, request.root, basis.prepared, are_named=are_named),
        *from_files(pairs, basis.competition, basis.prepared),
    ]
    members = _without(found, request.how.without)
    if not members:
        name = basis.competition.name
        raise BlendRequestError(
            f"nothing to blend: {name} has no finished run with these files; type foldwise run "
            f"{name}, or give --oof FILE --sub FILE"
        )
    for line in _notes(members):
        narrator.say("note", line)
    folds, origin, remarks = _folds(basis, members)
    members, dropped = _held_out(members, folds)
    suspects = _suspects(members, basis, folds)
    kept = [m for m in members if request.how.keep_suspects or m.name not in suspects.in_sample]
    remarks += [*dropped, *_suspect_lines(suspects, keep=request.how.keep_suspects)]
    for remark in remarks:
        narrator.warn(remark)
    if not kept:
        raise BlendRequestError(f"nothing to blend: every file looks in-sample; {KEEP}")
    return Gathered(tuple(kept), folds, origin, tuple(remarks))


def _notes(members: Sequence[BlendMember]) -> Iterator[str]:
    """The notes on how files were read, one line for all files with the same note."""
    files: dict[str, list[Path]] = {}
    for path, note in (one for member in members for one in member.notes):
        files.setdefault(note, []).append(path)
    for note, paths in files.items():
        more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
        yield f"{paths[0]}{more} {note}"


def _without(members: list[BlendMember], names: Sequence[str]) -> list[BlendMember]:
    """The members but those of these names, files or runs.

    Raises:
        BlendRequestError: A name is that of none.
    """
    known = {name for member in members for name in (member.name, *member.origin.split(", "))}
    if unknown := [name for name in names if name not in known]:
        listed = ", ".join(member.name for member in members[:8])
        raise BlendRequestError(f"--without {unknown[0]}: no such member; known: {listed}")
    left_out = set(names)
    return [m for m in members if not left_out & {m.name, *m.origin.split(", ")}]


def _folds(basis: Basis, members: list[BlendMember]) -> tuple[Folds, str, list[str]]:
    """The folds to score on, where they come from, and a line where they are not the members'."""
    foreign = [member for member in members if member.is_foreign]
    if basis.fold_file is not None:
        return basis.folds, f"of {basis.fold_file}", []
    of_files = [member.fold for member in foreign if member.fold is not None]
    first = basis.folds.assignment[0]
    if (
        of_files
        and len(foreign) == len(members)
        and all(_is_same(f, of_files[0]) for f in of_files)
    ):
        given = np.unique(of_files[0], return_inverse=True)[1]
        return Folds(given[None].astype(np.int16)), "of the files' column fold", _unknown(foreign)
    others = [
        f"{m.origin.split(', ')[0]} was made on other folds than those of the score: predictions "
        "of a fold's rows may come from models that saw its neighbours' labels, so the score is a "
        "little optimistic"
        for m in foreign
        if m.fold is not None and not _is_same(m.fold, first)
    ]
    return basis.folds, "of the competition", [*others, *_unknown(foreign)]


def _unknown(foreign: list[BlendMember]) -> list[str]:
    unknown = [member.origin.split(", ")[0] for member in foreign if member.fold is None]
    if not unknown:
        return []
    which = unknown[0] if len(unknown) == 1 else f"{len(unknown)} files ({unknown[0]}, …)"
    return [
        f"the folds of {which} are unknown: if they are others than those of the score, the "
        "weights of a fold are learned from predictions whose models saw its labels, and the "
        "score is a little optimistic; --fold-file FILE with the columns id and fold settles it"
    ]


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays of folds split the rows in the same way, whatever the numbers are."""
    pairs = len(np.unique(np.stack([one, other]), axis=1).T)
    return pairs == len(np.unique(one)) == len(np.unique(other))


def _held_out(members: list[BlendMember], folds: Folds) -> tuple[list[BlendMember], list[str]]:
    """The members that predict every row that the folds hold out; a line for each other one."""
    kept, lines = [], []
    for member in members:
        n_missing = int((~np.isfinite(member.oof[folds.held_out]).all(axis=1)).sum())
        if n_missing:
            lines.append(
                f"{member.name} has no out-of-fold prediction for {n_missing:,} of the rows that "
                "the folds hold out; it is left out"
            )
        else:
            kept.append(member)
    return kept, lines


@dataclass(frozen=True)
class _Suspects:
    """Members that look in-sample, with the reason, and further remarks."""

    in_sample: dict[str, str]
    others: list[str]


def _suspects(members: list[BlendMember], basis: Basis, folds: Folds) -> _Suspects:
    if not members:
        return _Suspects({}, [])
    rows = folds.held_out
    oof = np.stack([member.oof[rows] for member in members])
    test = np.stack([member.test for member in members])
    goal = Goal(basis.prepared.target[rows], basis.competition.predicts, basis.competition.metric)
    found = _Suspects({}, [])
    for one in suspicions(oof, test, goal, folds.assignment[0][rows]):
        member = members[one.member]
        if not member.is_foreign:  # a run's own predictions are out-of-fold by construction
            continue
        if one.kind == "in-sample":
            found.in_sample[member.name] = f"{member.origin.split(', ')[0]}: {one.text}"
        else:
            found.others.append(f"{member.origin.split(', ')[0]}: {one.text}")
    return found


def _suspect_lines(suspects: _Suspects, *, keep: bool) -> list[str]:
    then = "it is blended, as you asked" if keep else f"it is left out; {KEEP}"
    return [*(f"{text}; {then}" for text in suspects.in_sample.values()), *suspects.others]


def renamed(members: Sequence[BlendMember]) -> tuple[BlendMember, ...]:
    """Members of a single run without its id in their names."""
    runs = {member.origin for member in members if not member.is_foreign}
    short = [m.name.rpartition("/")[2] if not m.is_foreign else m.name for m in members]
    if len(runs) != 1 or len(set(short)) < len(short):
        return tuple(members)
    return tuple(replace(m, name=name) for m, name in zip(members, short, strict=True))
