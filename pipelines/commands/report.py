"""`foldwise report` and `foldwise compare`: a run's report, and two runs on one page."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipelines.commands.options import Run, console


def report(run: Run) -> None:
    """Write a run's report, print its path, and open it where there is a display.

    What failed when the run was made is tried again.
    """
    from pipelines.blending.report_page import page_of_blend
    from pipelines.console import Narrator
    from pipelines.report.html import write
    from pipelines.runs.reported import reported

    if (written := page_of_blend(Path(), run)) is not None:
        _open(written)
        return
    narrator = Narrator(console(stderr=True))
    found = reported(Path(), run, narrator)
    page = write(found.summary, found.evidence, found.folder)
    for name, why in page.failed.items():
        narrator.warn(f"the report lacks {name}: {why}")
    _open(page.path)


def compare(first: Run, second: Run) -> None:
    """Compare two runs side by side on one page."""
    from pipelines.console import Narrator
    from pipelines.report.compare import compare as write
    from pipelines.runs.reported import reported

    narrator = Narrator(console(stderr=True))
    one, other = (reported(Path(), run, narrator) for run in (first, second))
    _open(write(one, other, Path()))


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
