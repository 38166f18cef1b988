"""`foldwise report` and `foldwise compare`: a run's report, and two runs on one page."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipelines.commands.options import Run


def report(run: Run) -> None:
    """Write a run's report, print its path, and open it where there is a display."""
    from pipelines.report.find import find
    from pipelines.report.html import write

    found = find(Path(), run)
    _open(write(found.summary, found.evidence, found.folder))


def compare(first: Run, second: Run) -> None:
    """Compare two runs side by side on one page."""
    from pipelines.report.compare import compare as write
    from pipelines.report.find import find

    _open(write(find(Path(), first), find(Path(), second), Path()))


def _open(page: Path) -> None:
    print(page, flush=True)
    if _has_display():
        import webbrowser

        webbrowser.open(page.resolve().as_uri())


def _has_display() -> bool:
    """Where a window can open; a text browser would take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
