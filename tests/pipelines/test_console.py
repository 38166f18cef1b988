"""What the story of a run looks like in a file and on a terminal."""

import io
import re
import time

import pytest
from rich.console import Console

from pipelines.console import (
    PIPE_WIDTH,
    STATUS,
    Narrator,
    NobodyAnswersError,
    Steps,
    is_terminal,
    plain_table,
    print_lines,
    terminal,
    wrapped,
)
from tests import screens


def in_a_file() -> str:
    """What is in the file when one stage has ended and others are to come."""
    file = io.StringIO()
    narrator = Narrator(Console(file=file, force_terminal=False, width=120))
    with narrator.stages():
        with narrator.stage("1 download") as line:
            line.advance(1, 2)
            line.end(status="kept", seconds=12.34)
        return file.getvalue()


def test_a_file_has_a_line_as_soon_as_a_stage_ends():
    assert in_a_file().split() == ["1", "download", "12.3", "s", "unchanged"]


def test_a_file_gets_no_bar_and_no_control_characters():
    message = in_a_file()
    assert "━" not in message
    assert "\x1b" not in message


def test_a_terminal_gets_the_bar():
    file = io.StringIO()
    narrator = Narrator(Console(file=file, force_terminal=True, width=120))
    with narrator.stages(), narrator.stage("1 download") as line:
        line.end(status="made", seconds=0.1)
    assert "━" in file.getvalue()


def test_a_stage_that_was_stopped_says_so_in_a_file_too():
    file = io.StringIO()
    narrator = Narrator(Console(file=file, force_terminal=False, width=120))
    with pytest.raises(KeyboardInterrupt), narrator.stages(), narrator.stage("4 train"):
        raise KeyboardInterrupt
    assert "stopped" in file.getvalue()


def in_a_file_while(work, monkeypatch):
    """What a file gets from a stage that lasts some reports."""
    monkeypatch.setattr("pipelines.console.REPORT_EVERY_S", 0.05)
    file = io.StringIO()
    narrator = Narrator(Console(file=file, force_terminal=False, width=PIPE_WIDTH))
    with narrator.stages(), narrator.stage("4 train · mlp") as line:
        work(line)
        time.sleep(0.3)
        line.end(status="made", seconds=1.0)
    return file.getvalue().splitlines()


def test_a_file_hears_from_a_long_stage_now_and_then(monkeypatch):
    monkeypatch.setattr("pipelines.pace.LEAST_S", 0.0)
    lines = in_a_file_while(lambda line: line.advance(1, 1000), monkeypatch)
    assert 2 <= len(lines[:-1]) <= 6
    assert all(re.search(r"4 train · mlp .* s 1 of 1000, ~\d+ s left$", x) for x in lines[:-1])
    assert lines[-1].split() == ["4", "train", "·", "mlp", "1.0", "s"]


def test_a_file_hears_what_a_stage_makes_that_counts_nothing(monkeypatch):
    lines = in_a_file_while(lambda line: line.note("checks for leaks"), monkeypatch)
    assert lines[0].endswith("s checks for leaks")
    lines = in_a_file_while(lambda _: None, monkeypatch)
    assert lines[0].endswith("s so far")


def test_a_file_hears_nothing_from_a_short_stage():
    file = io.StringIO()
    narrator = Narrator(Console(file=file, force_terminal=False, width=PIPE_WIDTH))
    with narrator.stages(), narrator.stage("5 ensemble") as line:
        line.advance(1, 2)
        line.end(status="made", seconds=1.0)
    assert len(file.getvalue().splitlines()) == 1


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("status", ["best 0.8194 of 100, 25 pruned", "kept", "reused"])
def test_a_stage_is_one_whole_line_on_a_terminal(monkeypatch, width, status):
    monkeypatch.setattr("pipelines.pace.LEAST_S", 0.0)

    def show(console):
        narrator = Narrator(console)
        with narrator.stages(), narrator.stage("3 dataset · mlp_encoder") as line:
            line.advance(1, 1000)
            line.note("best 0.8194 of 100, 25 pruned")
            shown.append(seen(narrator))
            line.end(status=status, seconds=12.3)
            shown.append(seen(narrator))

    def seen(narrator):
        file = io.StringIO()
        Console(file=file, width=width).print(narrator._progress.get_renderable())
        return file.getvalue().splitlines()

    shown = []
    screens.printed(show, width)
    (moving,), (ended,) = shown
    assert len(moving) <= width
    assert "s left, " in moving
    assert len(ended) <= width
    assert ended.rstrip().endswith(STATUS.get(status, status))
    assert "12.3 s" in ended


def printed(thing):
    file = io.StringIO()
    console = Console(file=file, width=60)
    if isinstance(thing, list):
        print_lines(console, thing)
    else:
        console.print(thing)
    return file.getvalue()


def test_labels_are_as_wide_as_one_column_and_long_lines_are_not_wrapped():
    lines = printed([("seconds", "1.5"), ("", "x" * 70)]).splitlines()
    assert lines == ["seconds     1.5", " " * 12 + "x" * 70]


def test_a_table_has_text_on_the_left_and_numbers_on_the_right():
    table = plain_table(["member"], ["cv", "weight"])
    table.add_row("mlp", "0.8123", "1.00")
    assert [line.rstrip() for line in printed(table).splitlines()] == [
        "member       cv   weight",
        "mlp      0.8123     1.00",
    ]


def test_a_terminal_gets_lines_that_end_between_words():
    console = Console(file=io.StringIO(), width=20, force_terminal=True)
    assert wrapped(console, "one two-three four /a/path/that/is/wider", 4) == [
        "one two-three",
        "four",
        "/a/path/that/is/wider",
    ]
    assert wrapped(console, "train 1.5 · all 2.0 s", 4) == ["train 1.5 ·", "all 2.0 s"]
    assert wrapped(console, "", 4) == [""]


def test_streams_that_are_closed_are_nobody_s(monkeypatch):
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(NobodyAnswersError, match="type --yes"):
            Narrator(Console(file=io.StringIO())).ask("remove 3 folders?")
        assert not is_terminal(stream)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        assert terminal().width == PIPE_WIDTH


def test_steps_are_counted_and_nobody_need_listen():
    heard = []
    steps = Steps(2, lambda done, total: heard.append((done, total)))
    steps.take()
    steps.take()
    Steps(2, None).take()
    assert heard == [(1, 2), (2, 2)]
