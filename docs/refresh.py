"""Makes the README's pictures and tree anew: `python docs/refresh.py [--tree]`.

The pictures are those of real runs on the offline sample of Titanic, in a folder of its own; those
of pages are taken in Chromium. Each line of the tree is the first one of that file's docstring.
"""

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

from rich.console import Console

from pipelines import competitions
from pipelines.configuration.assignments import choose_members
from pipelines.console import Narrator
from pipelines.runs import summary_page
from pipelines.runs.run import RunRequest, run
from pipelines.workspace.summary import Summary

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "features", "models", "submissions")
TREE = re.compile(r"(## The house\n\n)```\n.*?```\n|(## The house\n\n)TREE\n", re.DOTALL)
NAME_WIDTH, LINE_WIDTH = 24, 120


def tree() -> str:
    """A line for each file of the house: its name, and what its docstring says first."""
    lines: list[str] = []
    for package in PACKAGES:
        folders = sorted({path.parent for path in (ROOT / package).rglob("*.py")})
        for folder in folders:
            lines.append(f"{folder.relative_to(ROOT).as_posix()}/")
            lines += [_line(path) for path in sorted(folder.glob("*.py"))]
    return "\n".join(line for line in lines if line)


def _line(path: Path) -> str:
    if path.name == "__init__.py":
        return ""
    told = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()[0].rstrip(".")
    return f"  {path.name:<{NAME_WIDTH}}{told}"


def refresh_tree() -> None:
    """Put the tree into the README."""
    readme = ROOT / "README.md"
    block = f"## The house\n\n```\n{tree()}\n```\n"
    readme.write_text(TREE.sub(lambda _: block, readme.read_text()))


def refresh_pictures() -> None:
    """Run Titanic on its sample in an empty folder; keep its pages and one figure."""
    import browser  # beside this file

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
    """The top of the report, on a desk and on a phone."""
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
            told = [server.stdout.readline(), server.stdout.readline()]
            table = told[1].split()[1]
            wait_for(table, server)
            shot = {"width": 1600, "height": 560, "hide": "Close"}
            run_page = table.replace("/runs?", f"/runs/{summary.mlflow_run_id}?")
            docs = ROOT / "docs"
            shoot(table, docs / "mlflow_runs.png", until=summary.run, **shot)
            shot["height"] = 800
            shoot(run_page, docs / "mlflow_run.png", until="git_commit", **shot)
        finally:
            server.send_signal(signal.SIGINT)


def wait_for(address: str, server: "subprocess.Popen[str]") -> None:
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
