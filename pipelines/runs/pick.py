"""Proposes the two final submissions of a competition."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.configuration.competition import Competition
from pipelines.console import Narrator
from pipelines.runs.sendable import checked_csv, sendable
from pipelines.workspace.layout import Workspace
from pipelines.workspace.summary import Summary
from submissions import ledger
from submissions.final_selection import (
    Candidate,
    Finals,
    lack_of_correlation,
    propose,
    share_differing,
)


def pick(competition: Competition, root: Path, narrator: Narrator) -> None:
    """Print the two, how much they differ, and what is left to do.

    Raises:
        NoRunError: There is no finished run that Kaggle could score.
        SubmissionError: A run's CSV is missing, was changed, or fails its check.
    """
    page = competition.on_kaggle.page  # raises where there is nothing to choose for
    runs = _distinct(sendable(root, competition.name))
    candidates = _comparable([_candidate(competition, summary, root) for summary in runs])
    labels = competition.form == "labels"
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


def _candidate(competition: Competition, summary: Summary, root: Path) -> Candidate:
    path = checked_csv(root, competition, summary)
    table = pd.read_csv(path, index_col=competition.id, dtype={competition.id: str})
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
