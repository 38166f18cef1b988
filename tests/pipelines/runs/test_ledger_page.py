"""The ledger as a person reads it: its order, its figure, and the two runs to choose."""

import io
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipelines.commands import app
from pipelines.figures import ledger as ledger_figure
from pipelines.runs.ledger_page import SortError, show_ledger
from pipelines.workspace.layout import LEDGER
from submissions import ledger
from tests.screens import WIDTHS, check_whole, printed

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def make_entry(number, cv, public=None, **fields):
    defaults = {
        "run": f"run-{number}",
        "competition": "toy",
        "time_utc": NOW,
        "source": "kaggle",
        "synthetic": False,
        "metric": "accuracy",
        "greater_is_better": True,
        "cv": cv,
        "cv_std": 0.01,
        "public_score": public,
        "submitted_utc": None if public is None else NOW,
    }
    return ledger.Entry(**defaults | fields)


@pytest.fixture
def page(tmp_path):
    """Writes the entries and gives the page."""

    def page(*entries, **options):
        for entry in entries:
            ledger.append(tmp_path / LEDGER, entry)
        stream = io.StringIO()
        show_ledger(Console(file=stream, width=140), tmp_path, **{"competition": None, **options})
        return stream.getvalue()

    return page


def order(text):
    return [line.split()[0] for line in text.splitlines() if line.startswith("run-")]


def test_the_newest_comes_first_or_the_best_whichever_way_the_metric_points(page):
    loss = {"competition": "loss", "metric": "log_loss", "greater_is_better": False}
    entries = [make_entry(1, 0.7), make_entry(2, 0.9), make_entry(3, 0.8)]
    entries += [make_entry(4, 0.5, **loss), make_entry(5, 0.3, **loss)]
    assert order(page(*entries)) == ["run-5", "run-4", "run-3", "run-2", "run-1"]
    assert order(page(sort="best")) == ["run-5", "run-4", "run-2", "run-3", "run-1"]
    assert order(page(sort="best", competition="toy")) == ["run-2", "run-3", "run-1"]
    with pytest.raises(SortError):
        page(sort="worst")


def test_when_a_run_was_sent_is_reported_and_that_it_was_refused(page):
    refused = make_entry(2, 0.8, submitted_utc=NOW, refused="wrong ids")
    text = page(make_entry(1, 0.7, 0.6), refused, make_entry(3, 0.5))
    assert [line.split()[-1] for line in text.splitlines()[1:4]] == ["-", "refused", "2026-07-01"]


LONG = {
    "run": "20261126-232504-293b76",
    "competition": "spaceship-titanic",
    "source": "/home/somebody/downloads/spaceship-titanic.zip",
    "metric": "balanced_accuracy",
    "local_score": 0.8123,
    "private_score": 0.8012,
}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_id_and_no_word_is_broken(page, tmp_path, width):
    page(make_entry(1, 0.7, 0.6), make_entry(2, 0.8, 0.8, **LONG))

    def show(console):
        show_ledger(console, tmp_path, competition=None)

    lines = check_whole(show, width)
    (row,) = [line for line in lines if line.startswith(LONG["run"])]
    assert "0.8000" in row
    if width is None:
        assert LONG["source"] in row
        assert len(lines) == 5


def test_what_a_narrow_row_has_no_room_for_stands_below_it(page, tmp_path):
    page(make_entry(1, 0.7), make_entry(2, 0.8, 0.8, **LONG))
    text = printed(lambda console: show_ledger(console, tmp_path, competition=None), 80)
    heading, row, below, *_ = text.splitlines()
    assert heading.split() == ["run", "competition", "cv", "±", "folds", "local", "public"]
    assert row.split() == [LONG["run"], LONG["competition"], "0.8000", "0.0100", "0.8123", "0.8000"]
    assert below.startswith("    source /home/somebody/downloads/spaceship-titanic.zip")
    assert "private 0.8012" in text


def labelled():
    changed = {"note": "wider nets", "members": ("mlp",), "settings": {"mlp.train.lr": 0.1}}
    many = {f"mlp.train.setting_{n}": n for n in range(9)}
    return (
        make_entry(1, 0.7, **changed),
        make_entry(2, 0.8, members=("mlp", "trees"), settings=many),
        make_entry(3, 0.8, competition="other", members=("mlp",)),
    )


def test_note_members_and_settings_tell_runs_apart_on_their_line_in_a_pipe(page):
    other, second, first = page(*labelled()).splitlines()[1:4]
    assert first.endswith("wider nets · members mlp · mlp.train.lr = 0.1")
    assert "members mlp, trees · mlp.train.setting_0 = 0, " in second
    assert second.endswith("mlp.train.setting_5 = 5, 3 more settings")
    assert "members" not in other, "all runs of that competition have the same"


def test_on_a_terminal_they_stand_below_the_run(page, tmp_path):
    page(*labelled())
    show = partial(show_ledger, root=tmp_path, competition="toy")
    lines = printed(show, 80).splitlines()
    assert max(map(len, lines)) <= 80
    at = next(n for n, line in enumerate(lines) if line.startswith("run-1"))
    assert lines[at + 1] == "    wider nets · members mlp · mlp.train.lr = 0.1"


def test_a_run_s_page_is_printed_again(workspace, signed_out, capsys):
    older, newest = sorted(path.name for path in Path("runs/titanic").glob("2*"))
    assert app.main(["runs", "--show", older]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"run         {older}\n")
    assert f"submissions/titanic/{older}.csv   418 rows, checked" in page
    assert app.main(["runs", "--show", "titanic"]) == 0
    assert f"foldwise report {newest}" in capsys.readouterr().out
    assert app.main(["runs", "--show", "titanik"]) == 2
    assert "did you mean titanic?" in capsys.readouterr().err


def test_too_few_scores_are_said_to_be_too_few(page, tmp_path):
    text = page(*(make_entry(i, 0.7 + i / 100, 0.7) for i in range(4)))
    assert "toy: 4 with a public score; 5 give a figure" in text
    assert not list(tmp_path.rglob("*.png"))


def test_scores_of_made_up_rows_are_no_evidence(page, tmp_path):
    text = page(*(make_entry(i, 0.7 + i / 100, 0.7, synthetic=True) for i in range(6)))
    assert len(text.splitlines()) == 7
    assert not list(tmp_path.rglob("*.png"))


def test_enough_scores_give_a_figure_with_the_rank_correlation(page, tmp_path):
    text = page(*(make_entry(i, 0.7 + i / 100, 0.68 + i / 90) for i in range(6)))
    figure = tmp_path / "submissions/toy/cv-and-public.png"
    assert str(figure) in text
    assert "rank correlation +1.00 over 6 submissions" in text
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("public", "verdict"),
    [
        ([2, 3, 4, 5, 6, 7], "follows cross-validation: rank correlation +1.00"),
        ([6, 5, 4, 3, 2, 1], "contradicts cross-validation: rank correlation -1"),
        ([3, 1, 2, 6, 4, 5], "Too few runs, or too similar: rank correlation"),
        ([1, 1, 1, 1, 1, 1], "cannot be judged"),
    ],
)
def test_the_finding_is_what_the_ranks_say(public, verdict):
    entries = [make_entry(i, i + 1, score) for i, score in enumerate(public)]
    assert verdict in ledger_figure.finding(entries)


def test_how_far_public_lies_from_cv_is_reported():
    entries = [make_entry(i, 0.8 + i / 100, 0.78 + i / 100) for i in range(6)]
    assert ledger_figure.finding(entries).endswith("public lies 0.0200 below cv on average")


def test_the_rank_correlation_is_that_of_the_ranks():
    cv, public = np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 1000.0, 20.0, 30.0])
    # Ranks 1 2 3 4 and 1 4 2 3: 1 - 6 · (0 + 4 + 1 + 1) / (4 · 15).
    assert ledger_figure.rank_correlation(cv, public)[0] == pytest.approx(0.4)


def test_the_figure_shows_every_run_and_the_line_of_equality():
    entries = [make_entry(i, 0.7 + i / 100, 0.69 + i / 90) for i in range(6)]
    figure = ledger_figure.cv_and_public(entries)
    (axes,) = figure.axes
    points = axes.collections[-1].get_offsets()
    assert points.tolist() == [[e.cv, e.public_score] for e in entries]
    ends = axes.lines[-1].get_xydata()
    assert (ends[:, 0] == ends[:, 1]).all()
    figure.canvas.draw()
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.x0 >= figure.bbox.x0
        assert box.x1 <= figure.bbox.x1


def test_pick_proposes_the_best_and_what_differs(workspace, signed_out, capsys):
    older, newest = sorted(path.name for path in Path("runs/titanic").glob("2*"))
    assert app.main(["pick", "titanic"]) == 0
    message = capsys.readouterr().out
    assert f"1 best cv   {older}" in message
    assert f"2 differs   {newest}" in message
    assert "no other of 2 runs is within one standard error of the best" in message
    assert "% of the labels differ" in message
    assert f"foldwise submit titanic {older}" in message
    assert "https://www.kaggle.com/competitions/titanic/submissions" in message
    scores = ledger.Scores(
        run=older, competition="titanic", submitted_utc=NOW, public_score=0.77, kaggle_ref=1
    )
    ledger.update_scores(LEDGER, scores)
    assert app.main(["pick", "titanic"]) == 0
    message = capsys.readouterr().out
    assert "public 0.77000" in message
    assert f"foldwise submit titanic {older}" not in message


def test_pick_with_no_run_says_what_to_type(tmp_path, signed_out, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert app.main(["pick", "titanic"]) == 2
    assert "no finished run; type foldwise run titanic" in capsys.readouterr().err
