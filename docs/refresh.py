"""Renews the README's pictures and CONTRIBUTING's layout: `python docs/refresh.py [--tree]`.

The pictures come from real runs of Titanic on its offline sample, in a temporary folder; those of
pages are taken in Chromium. Each line of the layout is the first one of a folder's docstring.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.workspace.summary import Summary

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("foldwise", "pipelines", "features", "models", "submissions")
TREE = re.compile(r"(?<=^```\n)(?:[a-z_]+/.*\n)*(?=```$)", re.MULTILINE)
NAME_WIDTH = 34


def tree() -> str:
    """A line for each folder of the packages: its path, and the first line of its docstring."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("__init__.py")))
    return "\n".join(map(_line, files))


def _line(file: Path) -> str:
    folder = f"{file.parent.relative_to(ROOT).as_posix()}/"
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    return f"{folder:<{NAME_WIDTH}}{docstring.split(chr(10))[0].rstrip('.')}".rstrip()


def refresh_tree() -> None:
    """Write the layout into CONTRIBUTING.md."""
    page = ROOT / "CONTRIBUTING.md"
    page.write_text(TREE.sub(lambda _: f"{tree()}\n", page.read_text()))


def refresh_pictures() -> None:
    """Run Titanic on its sample in an empty folder; keep its pages and one figure."""
    import browser  # beside this file
    from rich.console import Console

    from pipelines import competitions
    from pipelines.configuration.assignments import choose_members
    from pipelines.console import Narrator
    from pipelines.runs import summary_page
    from pipelines.runs.request import RunRequest
    from pipelines.runs.run import run

    console = Console(record=True, width=132, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        summary = run(
            competitions.load_competition("titanic"), RunRequest(source="sample"), Narrator(console)
        )
        summary_page.show(summary, console)
        (curves,) = (path for path in summary.figures if "learning_curves" in path)
        shutil.copy(curves, ROOT / "docs" / "learning_curves.png")
        for members in (["logistic", "mlp"], ["trees"]):
            fewer = choose_members(competitions.load_competition("titanic"), members)
            run(fewer, RunRequest(source="sample"), Narrator(Console(quiet=True)))
        with browser.opened() as chromium:
            shoot_report(partial(browser.shoot, chromium), summary)
            shoot_mlflow(partial(browser.shoot, chromium), summary)
    console.save_svg(str(ROOT / "docs" / "summary.svg"), title="make titanic")


def shoot_report(shoot: Callable[..., None], summary: Summary) -> None:
    """The top of the report, on a desktop and on a phone."""
    report = Path("runs", summary.competition, summary.run, "report.html").resolve().as_uri()
    docs = ROOT / "docs"
    shoot(report, docs / "report.png", width=1200, height=1080)
    phone = {"width": 390, "height": 1080, "scheme": "dark"}
    shoot(report, docs / "report_phone.png", **phone)


def shoot_mlflow(shoot: Callable[..., None], summary: Summary) -> None:
    """The runs table and one run, on the page that `foldwise mlflow` opens."""
    command = [sys.executable, "-m", "pipelines", "mlflow"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            _, address = server.stdout.readline(), server.stdout.readline()
            table = address.split()[1]
            wait_for(table, server)
            shot = {"width": 1600, "height": 560, "hide": "Close"}
            run_page = table.replace("/runs?", f"/runs/{summary.mlflow_run_id}?")
            docs = ROOT / "docs"
            shoot(table, docs / "mlflow_runs.png", until=summary.run, **shot)
            shot["height"] = 800
            shoot(run_page, docs / "mlflow_run.png", until="git_commit", **shot)
        finally:
            server.send_signal(signal.SIGINT)


def wait_for(address: str, server: subprocess.Popen[str]) -> None:
    """Wait until the page is up."""
    while server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address.split("#")[0], timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError("the MLflow page did not come up")


if __name__ == "__main__":
    refresh_tree()
    if "--tree" not in sys.argv:
        refresh_pictures()
