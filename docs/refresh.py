"""Makes the README's pictures and tree anew: `python docs/refresh.py [--tree]`.

The pictures are those of a real run on the offline sample of Titanic, in a folder of its own;
each line of the tree is the first one of that file's docstring.
"""

import ast
import contextlib
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from pipelines import page, registry
from pipelines.console import Narrator
from pipelines.run import Request, run

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
    """Run Titanic on its sample in an empty folder; keep its page and one figure."""
    console = Console(record=True, width=132, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        summary = run(registry.load("titanic"), Request(source="sample"), Narrator(console))
        page.show(summary, console)
        (curves,) = (path for path in summary.figures if "learning_curves" in path)
        shutil.copy(curves, ROOT / "docs" / "learning_curves.png")
    console.save_svg(str(ROOT / "docs" / "summary.svg"), title="make titanic")


if __name__ == "__main__":
    refresh_tree()
    if "--tree" not in sys.argv:
        refresh_pictures()
