"""A CSV made of other people's submissions alone: checked, but with no score and in no ledger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.decisions import Decision
from pipelines.blending.basis import basis_of
from pipelines.blending.by_hand import ALMOST, read_unscored, total_of
from pipelines.blending.request import BlendRequestError
from pipelines.stages.submission import answers_of
from pipelines.workspace import files, out
from pipelines.workspace.files import fingerprint
from pipelines.workspace.layout import Workspace
from submissions.build import build, write_csv
from submissions.check import check

if TYPE_CHECKING:
    from pipelines.blending.request import BlendRequest
    from pipelines.configuration.competition import Competition
    from pipelines.console import Narrator

NAME = "by-hand"


@dataclass(frozen=True)
class UnscoredCsv:
    """The file that was written.

    Attributes:
        path: Where.
        n_rows: Its rows.
        weights: By file.
    """

    path: Path
    n_rows: int
    weights: dict[str, float]


def is_by_hand_alone(request: BlendRequest) -> bool:
    """Whether the weights that were typed leave nothing for members with a score.

    Raises:
        BlendRequestError: They leave nothing, but members were named.
    """
    typed = request.files
    total = total_of(typed.weights)
    if total < 1 - ALMOST:
        return False
    if typed.oof or typed.pairs or request.runs:
        raise BlendRequestError(
            "--weights: found weights with the sum 1, which leave nothing for the runs and --oof "
            "files that you named; lower the weights, or leave those out"
        )
    return True


def write_unscored(
    competition: Competition, request: BlendRequest, narrator: Narrator
) -> UnscoredCsv:
    """Mix the files by the weights that were typed, check the CSV and write it.

    Raises:
        PredictionFileError: A file cannot be used.
        SubmissionError: The table fails its check; nothing is written.
    """
    out.check(request.out)
    basis = basis_of(competition, request, narrator)
    prepared, task = basis.prepared, basis.competition.predicts
    unscored = read_unscored(request.files.weights, basis.competition, prepared)
    assert unscored is not None, "asked for by weights"
    answers = answers_of(unscored.test, prepared.form, task, Decision())
    table = build(prepared.test_ids, answers, prepared.sample_submission, prepared.form)
    check(table, prepared.sample_submission, prepared.form)
    mark = fingerprint([unscored.digests, unscored.weights])[:8]
    path = Workspace(request.root).submissions(competition.name) / f"{NAME}-{mark}.csv"
    write_csv(table, path)
    if request.out is not None:
        files.copy(path, request.out)
    return UnscoredCsv(path, len(table), unscored.by_file)


def show(made: UnscoredCsv, competition: Competition, narrator: Narrator) -> None:
    """Print what was mixed, that it has no score, and what to type next."""
    for file, weight in made.weights.items():
        narrator.say("weight", f"{weight:.3g}   {file}")
    narrator.warn(
        "unscored: without out-of-fold predictions nothing can tell how good this is; it is in no "
        "ledger, and foldwise pick does not see it"
    )
    narrator.say("submission", f"{made.path}   {made.n_rows:,} rows, checked")
    if competition.takes_submissions:
        slug = competition.on_kaggle.slug
        narrator.say("next", f"kaggle competitions submit {slug} -f {made.path} -m by-hand")
