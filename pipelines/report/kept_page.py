"""Whether a run's page is still what would be written: drawing its charts takes a second."""

from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

from pipelines.report.evidence import Evidence
from pipelines.workspace.files import fingerprint
from pipelines.workspace.provenance import code_digest
from pipelines.workspace.summary import Summary

MAKER = "pipelines.report.html"
TEMPLATES = ("layout.html", "report.html", "style.css")
LIBRARIES = ("matplotlib", "jinja2")
# Of the summary what is added behind the page, or not shown in it.
LATER = {"seconds", "spent", "figures", "undrawn", "time", "mlflow_run_id", "mlflow_is_local"}
LATER_STAGES = ("figures", "report")
OPENING, CLOSING = "<!-- made of ", " -->\n"


def mark_of(summary: Summary, evidence: Evidence) -> str:
    """A fingerprint of all that the page depends on: what it shows, and the code that draws it."""
    shown = summary.model_dump(mode="json", exclude=LATER)
    stages = summary.stage_seconds.items()
    shown["stage_seconds"] = {name: s for name, s in stages if name not in LATER_STAGES}
    folder = Path(__file__).parent
    made_with = [_version(name) for name in LIBRARIES]
    made_with += [(folder / name).read_text(encoding="utf-8") for name in TEMPLATES]
    return fingerprint([shown, evidence.model_dump(mode="json"), code_digest([MAKER]), made_with])


def _version(library: str) -> str:
    """Its version; nothing where it is not installed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def marked(text: str, mark: str) -> str:
    """The page with a last line that says what it was made of, and that it is whole."""
    return f"{text}{_last_line(text, mark)}"


def is_kept(path: Path, mark: str) -> bool:
    """Whether the file is a whole page that was made of the same."""
    if not path.is_file():
        return False
    text, found, _ = path.read_text(encoding="utf-8", errors="replace").rpartition(OPENING)
    return bool(found) and path.read_bytes() == marked(text, mark).encode()


def _last_line(text: str, mark: str) -> str:
    content = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return f"{OPENING}{mark} {content}{CLOSING}"
