"""What the story of a run looks like in a file and on a terminal."""

import io

import pytest
from rich.console import Console

from pipelines.console import Narrator, Steps, plain_table, print_lines, wrapped


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


def test_steps_are_counted_and_nobody_need_listen():
    heard = []
    steps = Steps(2, lambda done, total: heard.append((done, total)))
    steps.take()
    steps.take()
    Steps(2, None).take()
    assert heard == [(1, 2), (2, 2)]
