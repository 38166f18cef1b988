"""The page that ends a run, at several widths."""

import pytest

from models.ensembling.selection import BEST_MEMBER
from pipelines.runs import summary_page
from pipelines.workspace.summary import BLEND, FurtherLine, MemberLine, Summary, TunedLine, WayLine
from tests.screens import WIDTHS, check_whole

RUN = "20261126-232504-293b76"
NAMES = ("logistic", "mlp", "extra-trees", "gradient-boosting")
STAGES = ("download", "preprocess", "dataset", "train", "ensemble", "submission", "report")
SECONDS = (0.1, 12.1, 123.1, 1012.3, 12.1, 0.2, 117.0)


def make_summary(**fields):
    """A run with everything that a page may hold."""
    defaults = {
        "run": RUN,
        "competition": "spaceship-titanic",
        "source": "sample",
        "origin": "a generator",
        "synthetic": True,
        "metric": "balanced_accuracy",
        "greater_is_better": True,
        "cv": 0.8216,
        "cv_std": 0.0495,
        "n_splits": 30,
        "folds": "3 × 10 folds by Ticket",
        "members": tuple(
            MemberLine(name=name, score=0.8, std=0.05, weight=0.25, also=(0.8, 0.7, 0.6))
            for name in NAMES
        ),
        "ways": (
            WayLine(name=BLEND, score=0.82, std=0.05),
            WayLine(name=BEST_MEMBER, score=0.8123, std=0.05, error=0.001),
        ),
        "way": BEST_MEMBER,
        "tuned": (
            TunedLine(name="mlp", values="lr = 0.1", score=0.83, n_trials=100, file="tuned.toml"),
        ),
        "known_share": 0.561,
        "cv_new": 0.8,
        "local_score": 0.81,
        "also": tuple(
            FurtherLine(metric=metric, cv=0.8, cv_std=0.05, local_score=0.79)
            for metric in ("accuracy", "matthews", "log_loss")
        ),
        "n_held_back": 418,
        "submission": f"submissions/spaceship-titanic/{RUN}.csv",
        "submission_sha256": "0" * 64,
        "n_rows": 4277,
        "figures": (f"runs/spaceship-titanic/{RUN}/figures/a.png",),
        "stage_seconds": dict(zip(STAGES, SECONDS, strict=True)),
        "seconds": 1277.9,
    }
    return Summary(**defaults | fields)


@pytest.mark.parametrize("way", [BLEND, BEST_MEMBER, "context"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_id_and_no_word_is_broken(width, way):
    summary = make_summary(way=way)
    check_whole(lambda console: summary_page.show(summary, console), width)


@pytest.mark.parametrize("way", [BLEND, BEST_MEMBER, "context"])
@pytest.mark.parametrize("width", [120, None])
def test_at_120_columns_no_line_is_wrapped(width, way):
    summary = make_summary(way=way, metric="accuracy")
    lines = check_whole(lambda console: summary_page.show(summary, console), width)
    behind = [line.strip() for line in lines if line.startswith(" " * 12)]
    assert behind == [*summary_page.next_commands(summary)[1:], summary_page.OUT]
    assert "--out" in summary_page.OUT


def test_what_is_wrapped_stands_under_its_text():
    lines = check_whole(lambda console: summary_page.show(make_summary(), console), 80)
    at = next(n for n, line in enumerate(lines) if line.startswith("balanced_accuracy "))
    assert lines[at + 1].startswith(" " * 12 + "each predicted by the best member")
    (seconds,) = [n for n, line in enumerate(lines) if line.startswith("seconds")]
    facts = "preprocess 12 · dataset 123 · train 1012 · ensemble 12 ·"
    assert lines[seconds] == f"seconds     {facts}"
    assert lines[seconds + 1].strip() == "report 117 · other 2 · all 1278"


@pytest.mark.parametrize(
    ("spent", "seconds", "shown"),
    [
        (
            {"download": 0.04, "train-a": 1.26, "train-b": 1.0},
            3.0,
            "train 2.3 · other 0.7 · all 3.0",
        ),
        ({"train-a": 1.05, "report": 1.95}, 2.9, "train 1.0 · report 1.9 · all 2.9"),
        ({"train-a": 99.0, "figures": 2.0}, 101.4, "train 99 · figures 2 · all 101"),
    ],
)
def test_the_seconds_add_up(spent, seconds, shown):
    of_the_stages = {"train-a": 50.0}  # made by an earlier run
    summary = make_summary(spent=spent, stage_seconds=of_the_stages, seconds=seconds)
    lines = check_whole(lambda console: summary_page.show(summary, console), 120)
    (line,) = [line for line in lines if line.startswith("seconds ")]
    assert line.removeprefix("seconds").strip() == shown


def test_a_run_of_an_earlier_version_claims_no_parts_that_are_more_than_the_whole():
    summary = make_summary(stage_seconds={"train-a": 50.0}, seconds=3.0)
    lines = check_whole(lambda console: summary_page.show(summary, console), 120)
    assert "seconds     all 3.0" in lines


def test_a_table_too_wide_comes_in_parts_that_repeat_the_members():
    lines = check_whole(lambda console: summary_page.show(make_summary(), console), 80)
    assert len([line for line in lines if line.startswith("gradient-boosting ")]) == 2
    assert [line.split() for line in lines if line.startswith("member ")] == [
        ["member", "balanced_accuracy", "±", "folds", "weight", "accuracy"],
        ["member", "matthews", "log_loss"],
    ]


@pytest.mark.parametrize("takes_submissions", [True, False])
def test_submit_is_proposed_only_where_kaggle_takes_submissions(takes_submissions):
    kaggles = make_summary(source="kaggle", local_score=None, takes_submissions=takes_submissions)
    proposed = "foldwise submit spaceship-titanic" in summary_page.next_commands(kaggles)
    assert proposed == takes_submissions
