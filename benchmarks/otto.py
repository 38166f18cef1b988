"""What each member contributes to a finished run: `python -m benchmarks.otto RUN [SMALLER ...]`.

Reads the run's stages, prints tables and writes them to `otto.md` next to this file. All scores
are out-of-fold. "Blend without it" is the nested score of the blend without that member: the
difference to the whole blend is what the member adds. Runs with fewer members or folds get a
separate table, which shows the scores for less time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.ensembling.blending import BlendSettings, nested
from models.metrics import METRICS
from pipelines import competitions
from pipelines.stages import ensemble, preprocess, train
from pipelines.workspace.summary import Summary

PAGE = Path(__file__).with_suffix(".md")
LOG_LOSS, ACCURACY = METRICS["log_loss"].function, METRICS["accuracy"].function


@dataclass(frozen=True)
class Line:
    """One member: its scores, seconds and weight, and the score of the blend without it."""

    name: str
    log_loss: float
    accuracy: float
    seconds: float
    weight: float
    left_out: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="runs/<competition>/<run-id>")
    parser.add_argument("smaller", type=Path, nargs="*", help="runs with fewer members or folds")
    arguments = parser.parse_args()
    summary = _finished(arguments.run)
    page = write_page(arguments.run, summary)
    if arguments.smaller:
        others = [_finished(folder) for folder in arguments.smaller]
        page += "\n".join(["", *_table(_run_rows([*others, summary])), ""])
    print(page)
    PAGE.write_text(page)


def _finished(folder: Path) -> Summary:
    summary = Summary.read(folder)
    if summary is None:
        raise SystemExit(f"{folder} holds no finished run; type: foldwise runs")
    return summary


def write_page(folder: Path, summary: Summary) -> str:
    """The tables as Markdown."""
    target, lines = measure(folder, summary)
    blend = ensemble.load(folder / "stages" / "ensemble")
    best = f"{blend.cv:.4f} ± {blend.cv_std:.4f} by {blend.chosen}"
    return "\n".join(
        [
            f"# {summary.competition}: what each member contributes\n",
            f"Run `{summary.run}` on {summary.source}: {len(target):,} rows, {summary.folds}, "
            f"{summary.seconds:.0f} s in all.",
            f"Cross-validated log-loss {best}, accuracy {ACCURACY(target, blend.oof):.4f}.\n",
            *_table(_member_rows(lines, float(blend.candidate_scores[0].mean()))),
            "",
            *_table(_way_rows(blend)),
            "",
        ]
    )


def measure(folder: Path, summary: Summary) -> tuple[np.ndarray, list[Line]]:
    """The target and a line for each member."""
    stages = folder / "stages"
    prepared = preprocess.load(stages / "preprocess")
    target, assignment = prepared.target, prepared.folds.assignment
    oof = {m.name: train.load(stages / f"train-{m.name}").oof for m in summary.members}
    settings = competitions.load_competition(summary.competition).blend
    lines = []
    for member in summary.members:
        others = [p for name, p in oof.items() if name != member.name]
        lines.append(
            Line(
                name=member.name,
                log_loss=LOG_LOSS(target, oof[member.name]),
                accuracy=ACCURACY(target, oof[member.name]),
                seconds=summary.stage_seconds[f"train-{member.name}"],
                weight=member.weight,
                left_out=_blended(others, target, assignment, settings) if others else None,
            )
        )
    return target, lines


def _blended(
    oof: Sequence[np.ndarray], target: np.ndarray, assignment: np.ndarray, settings: BlendSettings
) -> float:
    """The nested log-loss of a blend of these members."""
    made = nested(np.stack(oof), target, assignment, settings, metric=METRICS["log_loss"])
    return made.mean


def _member_rows(lines: Sequence[Line], whole: float) -> Iterator[tuple[str, ...]]:
    yield ("member", "log-loss", "accuracy", "seconds", "weight", "blend without it", "adds")
    for line in lines:
        without = ("", "")
        if line.left_out is not None:
            without = (f"{line.left_out:.4f}", f"{line.left_out - whole:+.4f}")
        scores = (f"{line.log_loss:.4f}", f"{line.accuracy:.4f}")
        yield (line.name, *scores, f"{line.seconds:.0f}", f"{line.weight:.2f}", *without)


def _way_rows(blend: ensemble.Blend) -> Iterator[tuple[str, ...]]:
    yield ("second level", "log-loss", "± folds", "better by")
    first = blend.candidate_scores[0].mean()
    for name, scores in zip(blend.candidates, blend.candidate_scores, strict=True):
        gain = first - scores.mean()
        yield (name, f"{scores.mean():.4f}", f"{scores.std():.4f}", f"{gain:+.4f}")


def _run_rows(summaries: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    yield ("members", "folds", "seconds", "log-loss", "± folds")
    for one in sorted(summaries, key=lambda summary: summary.seconds):
        names = ", ".join(member.name for member in one.members)
        scores = (f"{one.cv:.4f}", f"{one.cv_std:.4f}")
        yield (names, one.folds.split()[0], f"{one.seconds:.0f}", *scores)


def _table(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    head = next(rows)
    yield f"| {' | '.join(head)} |"
    yield f"|---{'|--:' * (len(head) - 1)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
