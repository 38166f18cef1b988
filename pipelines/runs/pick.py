"""Proposes the two final submissions of a competition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.runs.sendable import checked_csv, sendable
from pipelines.workspace.layout import Workspace
from pipelines.workspace.stored import DamagedFileError
from pipelines.workspace.summary import Summary
from submissions import ledger
from submissions.check import SubmissionError
from submissions.final_selection import (
    Candidate,
    Finals,
    lack_of_correlation,
    propose,
    share_differing,
)
from submissions.form import read_sample

OF_LABELS = ("labels", "top_k")


def pick(competition: Competition, root: Path, narrator: Narrator) -> None:
    """Print the two, how much they differ, and what is left to do.

    Raises:
        NoRunError: There is no finished run that Kaggle could score.
        SubmissionError: A run's CSV is missing, was changed, or fails its check.
    """
    page = competition.on_kaggle.page  # raises where there is nothing to choose for
    runs = _distinct(sendable(root, competition.name))
    candidates = _comparable(list(_candidates(competition, runs, root, narrator)))
    labels = competition.form in OF_LABELS
    finals = propose(
        candidates,
        greater_is_better=competition.greater_is_better,
        difference=share_differing if labels else lack_of_correlation,
    )
    entries = {
        e.run: e for e in ledger.read(Workspace(root).ledger) if e.competition == competition.name
    }
    _print_choice(finals, len(candidates), narrator)
    chosen = [candidate for candidate in (finals.best, finals.other) if candidate is not None]
    for label, candidate in zip(("1 best cv", "2 differs"), chosen, strict=False):
        narrator.say(label, _scores(candidate, entries.get(candidate.run)))
    if finals.other is not None:
        narrator.say("differ by", _apart(finals, labels=labels))
    for candidate in chosen:
        if not _is_sent(entries.get(candidate.run)):
            narrator.say("send", f"foldwise submit {competition.name} {candidate.run}")
    narrator.say("choose", f"{page}/submissions")


def _distinct(runs: list[Summary]) -> list[Summary]:
    """One run for each CSV, the newest."""
    by_bytes: dict[str, Summary] = {}
    for summary in runs:
        by_bytes.setdefault(summary.submission_sha256, summary)
    return list(by_bytes.values())


def _comparable(candidates: list[Candidate]) -> list[Candidate]:
    """Those that predict the same rows as the newest run: Kaggle may have changed its files."""
    rows = set(candidates[0].table.index)
    return [candidate for candidate in candidates if set(candidate.table.index) == rows]


def _candidates(
    competition: Competition, runs: Sequence[Summary], root: Path, narrator: Narrator
) -> Iterator[Candidate]:
    """The runs with their answers; one whose CSV cannot be sent is passed over with a warning.

    Raises:
        SubmissionError: None can be sent.
    """
    n_made, faults = 0, list[SubmissionError | DamagedFileError]()
    for summary in runs:
        try:
            made = _candidate(competition, summary, root)
        except (SubmissionError, DamagedFileError) as error:
            faults.append(error)
            continue
        n_made += 1
        yield made
    if faults and not n_made:
        raise faults[0]
    for fault in faults:
        narrator.warn(f"{fault}; that run is passed over")


def _candidate(competition: Competition, summary: Summary, root: Path) -> Candidate:
    """The run with its answers as Kaggle reads them: texts, or numbers."""
    table = read_sample(checked_csv(root, competition, summary))
    name = competition.submission_id or competition.id
    if name in table:
        table = table.set_index(name)
    if competition.form not in OF_LABELS:  # a sample's further columns may hold texts
        table = table.apply(pd.to_numeric, errors="coerce").dropna(axis=1)
    return Candidate(summary.run, summary.cv, summary.cv_std, summary.n_splits, table)


def _print_choice(finals: Finals, n_runs: int, narrator: Narrator) -> None:
    if n_runs == 1:
        narrator.say("pick", "there is only one run; make another with other members or settings")
    elif finals.other is None:
        narrator.say("pick", f"all {n_runs} runs predict the same")
    elif finals.n_as_good == 1:
        narrator.say("pick", f"no other of {n_runs} runs is within one standard error of the best")
    else:
        as_good = f"{finals.n_as_good} are within one standard error of the best"
        narrator.say("pick", f"two of {n_runs} runs, of which {as_good}")


def _scores(candidate: Candidate, entry: ledger.Entry | None) -> str:
    public = None if entry is None else entry.public_score
    score = "-" if public is None else f"{public:.5f}"
    return f"{candidate.run}   cv {candidate.cv:.4f} ± {candidate.cv_std:.4f}   public {score}"


def _apart(finals: Finals, *, labels: bool) -> str:
    if labels:
        return f"{finals.difference:.1%} of the labels differ"
    return f"their predictions correlate by {1 - finals.difference:.3f}"


def _is_sent(entry: ledger.Entry | None) -> bool:
    return entry is not None and entry.submitted_utc is not None
