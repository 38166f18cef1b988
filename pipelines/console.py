"""What every page on the terminal is made of: label lines, tables, progress bars, questions."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from pipelines.pace import Pace
from pipelines.program import as_typed
from pipelines.secret_texts import redacted

PIPE_WIDTH = 140  # columns
LABEL_WIDTH = 12  # columns
SEPARATOR, LONGEST_FACT = " · ", 40  # between short facts, of at most so many characters
GLUE = "\u00a0"  # a space where no line ends
WIDTH_BESIDE_BAR = 74  # columns of a stage's line, its bar excepted
REPORT_EVERY_S = 30.0  # to a file, from a stage that goes on
STATUS = {"made": "", "kept": "unchanged", "reused": "unchanged, from an earlier run"}

Advance = Callable[[int, int], None]  # called with what is done so far, and the total


def terminal(*, stderr: bool = False) -> Console:
    """The console of this process."""
    stream = sys.stderr if stderr else sys.stdout
    # Into a file or a pipe rich would wrap at 80 columns, in the middle of a run's id.
    return Console(stderr=stderr, width=None if is_terminal(stream) else PIPE_WIDTH)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sits there; not at a stream that is closed, which Python gives as None."""
    return stream is not None and not stream.closed and stream.isatty()


def print_line(console: Console, label: str, text: str, *, style: str = "bold") -> None:
    """Print one fact: its label, padded, and the text, which a terminal gets wrapped below it."""
    text, head = as_typed(redacted(text)), f"{label:<{LABEL_WIDTH - 1}} "
    first, *others = wrapped(console, text, LABEL_WIDTH, first=len(head))
    console.print(Text.assemble((head, style), first), soft_wrap=True)
    for line in others:
        console.print(Text(" " * LABEL_WIDTH + line), soft_wrap=True)


def wrapped(console: Console, text: str, indent: int, *, first: int | None = None) -> list[str]:
    """The lines of a text, without the indent; a file gets it unwrapped.

    Lines end between words: a path, a command's option or a run's id is never broken, so one that
    is wider than the terminal sticks out.

    Args:
        console: Where it will be printed.
        text: The text.
        indent: Columns before each line.
        first: Columns before the first line, where it differs.
    """
    if not console.is_terminal:
        return [text]
    fill = " " * ((indent if first is None else first) - indent)
    width = max(console.width - indent, 1)
    lines = [
        line
        for part in f"{fill}{_glued(text)}".split("\n")
        for line in textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False)
        or [""]
    ]
    return [line.replace(GLUE, " ") for line in (lines[0].removeprefix(fill), *lines[1:])]


def _glued(text: str) -> str:
    """The text with short facts, `train 1.5 · all 2.0`, that a line does not end within."""
    facts = text.split(SEPARATOR)
    if len(facts) < 2 or max(map(len, facts)) > LONGEST_FACT:
        return text
    return f"{GLUE}· ".join(fact.replace(" ", GLUE) for fact in facts)


def print_lines(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    """Print a line for each label and text."""
    for label, text in facts:
        print_line(console, label, text)


def plain_table(left: Sequence[str], right: Sequence[str] = (), *, gap: int = 3) -> Table:
    """A table without lines.

    Args:
        left: Headings of the first columns, which are aligned left.
        right: Headings of the columns after them, which are aligned right.
        gap: Spaces between two columns.
    """
    table = Table(box=None, padding=(0, gap, 0, 0), header_style="bold", pad_edge=False)
    for heading in left:
        table.add_column(heading)
    for heading in right:
        table.add_column(heading, justify="right")
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a plain table without breaking a cell; one that is too wide comes in several parts.

    Each part repeats the first column.
    """
    limit = console.width if console.is_terminal else sys.maxsize
    for columns in _parts([_width(table, column) for column in table.columns], limit):
        part = Table(box=None, padding=table.padding, header_style="bold", pad_edge=False)
        for number in columns:
            column = table.columns[number]
            part.add_column(
                column.header, justify=column.justify, min_width=column.min_width, no_wrap=True
            )
        for cells in zip(*(table.columns[number].cells for number in columns), strict=True):
            part.add_row(*cells)
        width = sum(_width(table, table.columns[number]) for number in columns)
        console.print(part, width=width, crop=False, soft_wrap=True)


def _width(table: Table, column: Column) -> int:
    """Columns of a table's column, the gap behind it included."""
    gap = table.padding[1]
    cells = (column.header, *column.cells)
    return gap + max(column.min_width or 0, *(cell_len(str(cell)) for cell in cells))


def _parts(widths: Sequence[int], limit: int) -> list[list[int]]:
    """The columns of each part, the first one in all of them."""
    parts: list[list[int]] = [[0]]
    for number in range(1, len(widths)):
        if len(parts[-1]) > 1 and sum(widths[n] for n in (*parts[-1], number)) > limit:
            parts.append([0])
        parts[-1].append(number)
    return parts


class Steps:
    """Counts steps, and reports each to a progress callback."""

    def __init__(self, total: int, advance: Advance | None) -> None:
        self._done, self._total, self._advance = 0, total, advance

    def take(self) -> None:
        """Count one more step."""
        self._done += 1
        if self._advance is not None:
            self._advance(self._done, self._total)


class NobodyAnswersError(RuntimeError):
    """A question was put where nobody can answer it."""

    exit_code = 2


class _Seconds(ProgressColumn):
    """The seconds that a stage has taken; the clock while it goes on."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["seconds"]
        return Text(f"{(task.elapsed or 0.0) if seconds is None else seconds:7.1f} s")


class _Status(ProgressColumn):
    """How a stage ended; while it goes on, what is left and what it makes."""

    def render(self, task: Task) -> Text:
        status = task.fields["status"]
        shown = status() if callable(status) else status
        return Text(shown, style="dim", no_wrap=True, overflow="ellipsis")


class Narrator:
    """Reports on a console what a command does; never on the stream that JSON goes to."""

    def __init__(self, console: Console, *, hides_unchanged: bool = False) -> None:
        """Report on that console.

        Args:
            console: Where.
            hides_unchanged: Whether only those stages are shown that are made now.
        """
        self.console = console
        self.hides_unchanged = hides_unchanged
        self._progress: Progress | None = None

    def say(self, label: str, text: str) -> None:
        """Print one fact on one line."""
        print_line(self.console, label, text)

    def warn(self, text: str) -> None:
        """Print something that did not stop the command, but that the person should know."""
        print_line(self.console, "warning", text, style="yellow")

    def ask(self, question: str) -> bool:
        """Whether the person says yes; anything but y or yes is a no.

        Raises:
            NobodyAnswersError: There is no one at the keyboard.
        """
        try:
            answer = self._typed(Text(f"{question} [y/N] "))
        except EOFError:
            raise NobodyAnswersError(
                f"{question} nobody answered; type --yes to go on without being asked"
            ) from None
        return answer.strip().lower() in ("y", "yes")

    def choose(self, question: str, usual: str | None) -> str:
        """What the person types; an empty line takes the usual answer, where there is one.

        Raises:
            NobodyAnswersError: There is no one at the keyboard.
        """
        shown = f" [{usual}]" if usual else ""
        try:
            answer = self._typed(Text(f"{question}{shown} ")).strip()
            while not answer and usual is None:
                answer = self._typed(Text(f"{question} ")).strip()
        except EOFError:
            raise NobodyAnswersError(f"{question} nobody answered; type it as an option") from None
        return answer or usual or ""

    def _typed(self, question: Text) -> str:
        if sys.stdin is None or sys.stdin.closed:
            raise EOFError
        return self.console.input(question)

    @contextlib.contextmanager
    def stages(self) -> Iterator[None]:
        """Show the bars of the stages within.

        A file gets a line as each stage ends, and one now and then while it goes on: bars that move
        are for a terminal only.
        """
        room = self.console.width - WIDTH_BESIDE_BAR
        with Progress(
            TextColumn("  {task.description:<26}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=min(28, max(4, room)), table_column=Column(no_wrap=True)),
            _Seconds(table_column=Column(no_wrap=True)),
            _Status(),  # the only one that gives way
            console=self.console,
            disable=not self.console.is_terminal,
        ) as self._progress:
            yield
        self._progress = None

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[StageLine]:
        """The line of one stage, within `stages`."""
        assert self._progress is not None, "a stage is shown within `stages`"
        task = self._progress.add_task(title, total=1, seconds=None, status="")
        line = StageLine(self._progress, task, hides_unchanged=self.hides_unchanged)
        try:
            with line.reported():
                yield line
        except BaseException:
            line.end(status="stopped", seconds=None)
            raise


class StageLine:
    """One stage's bar, with what is left of it as far as its pace so far can tell."""

    def __init__(self, progress: Progress, task: int, *, hides_unchanged: bool = False) -> None:
        self._progress = progress
        self._hidden = ("kept", "reused") if hides_unchanged else ()
        self._task = progress.tasks[task].id
        self._pace = Pace(time.monotonic())
        self._note = ""
        self._progress.update(self._task, status=self._status)

    def resume(self, done: int) -> None:
        """Tell how much an earlier call had done, which says nothing of this one's pace."""
        self._pace = Pace(time.monotonic(), begun_with=done)

    def advance(self, done: int, total: int) -> None:
        """Move the bar to `done` of `total`; fewer than before begins the stage's next part."""
        now = time.monotonic()
        if done < self._pace.done:
            self._pace = Pace(now)
        self._pace.hear(done, total, now)
        self._progress.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        """Show a text beside the bar while it moves."""
        self._note = text

    def _status(self) -> str:
        return ", ".join(filter(None, (self._pace.left(time.monotonic()), self._note)))

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Print a line to a file every `REPORT_EVERY_S` seconds within; a terminal has the bar."""
        if not self._progress.disable or self._progress.console.quiet:
            yield
            return
        ended = threading.Event()
        reporter = threading.Thread(target=self._report, args=(ended,), daemon=True)
        reporter.start()
        try:
            yield
        finally:
            ended.set()
            reporter.join()

    def _report(self, ended: threading.Event) -> None:
        while not ended.wait(REPORT_EVERY_S):
            parts = (self._pace.counted(), self._status())
            self._print(", ".join(filter(None, parts)) or "so far")

    def end(self, *, status: str, seconds: float | None) -> None:
        """Fill the bar and show how the stage ended."""
        shown = STATUS.get(status, status)
        total = self._progress.tasks[self._task].total
        done = self._progress.tasks[self._task].completed if status == "stopped" else total
        self._progress.update(self._task, completed=done, seconds=seconds, status=shown)
        self._progress.stop_task(self._task)
        if status in self._hidden:
            self._progress.update(self._task, visible=False)
        elif self._progress.disable:
            self._print(shown)

    def _print(self, status: str) -> None:
        task = next(task for task in self._progress.tasks if task.id == self._task)
        columns = [c for c in self._progress.columns if isinstance(c, TextColumn | _Seconds)]
        line = Text(" ").join([*(column.render(task) for column in columns), Text(status)])
        line.rstrip()
        self._progress.console.print(line, soft_wrap=True)
