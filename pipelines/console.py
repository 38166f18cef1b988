"""What every page on the terminal is made of: label lines, tables, progress bars, questions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 140  # columns
LABEL_WIDTH = 12  # columns
STATUS = {"made": "", "kept": "unchanged", "reused": "unchanged, from an earlier run"}

Advance = Callable[[int, int], None]  # called with what is done so far, and the total


def terminal(*, stderr: bool = False) -> Console:
    """The console of this process."""
    stream = sys.stderr if stderr else sys.stdout
    # Into a file or a pipe rich would wrap at 80 columns, in the middle of a run's id.
    return Console(stderr=stderr, width=None if stream.isatty() else PIPE_WIDTH)


def print_line(console: Console, label: str, text: str, *, style: str = "bold") -> None:
    """Print one fact on one line: its label, padded, and the text."""
    console.print(Text.assemble((f"{label:<{LABEL_WIDTH}}", style), text), soft_wrap=True)


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
    """The seconds that a stage took when it was made; the clock while it is being made."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["seconds"]
        return Text(f"{(task.elapsed or 0.0) if seconds is None else seconds:7.1f} s")


class Narrator:
    """Reports on a console what a command does; never on the stream that JSON goes to."""

    def __init__(self, console: Console) -> None:
        self.console = console
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
            answer = self.console.input(Text(f"{question} [y/N] "))
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
            answer = self.console.input(Text(f"{question}{shown} ")).strip()
            while not answer and usual is None:
                answer = self.console.input(Text(f"{question} ")).strip()
        except EOFError:
            raise NobodyAnswersError(f"{question} nobody answered; type it as an option") from None
        return answer or usual or ""

    @contextlib.contextmanager
    def stages(self) -> Iterator[None]:
        """Show the bars of the stages within.

        A file gets a line as each stage ends: bars that move are for a terminal only.
        """
        with Progress(
            TextColumn("  {task.description:<26}"),
            BarColumn(bar_width=28),
            _Seconds(),
            TextColumn("[dim]{task.fields[status]}"),
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
        line = StageLine(self._progress, task)
        try:
            yield line
        except BaseException:
            line.end(status="stopped", seconds=None)
            raise


class StageLine:
    """One stage's bar."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress = progress
        self._task = progress.tasks[task].id

    def advance(self, done: int, total: int) -> None:
        """Move the bar to `done` of `total`."""
        self._progress.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        """Show a text beside the bar while it moves."""
        self._progress.update(self._task, status=text)

    def end(self, *, status: str, seconds: float | None) -> None:
        """Fill the bar and show how the stage ended."""
        shown = STATUS.get(status, status)
        total = self._progress.tasks[self._task].total
        done = self._progress.tasks[self._task].completed if status == "stopped" else total
        self._progress.update(self._task, completed=done, seconds=seconds, status=shown)
        self._progress.stop_task(self._task)
        if self._progress.disable:
            self._print()

    def _print(self) -> None:
        task = next(task for task in self._progress.tasks if task.id == self._task)
        columns = [c for c in self._progress.columns if isinstance(c, TextColumn | _Seconds)]
        line = Text(" ").join(column.render(task) for column in columns)
        line.rstrip()
        self._progress.console.print(line, soft_wrap=True)
