"""Makes a run's report: its evidence once, its page from that."""

from __future__ import annotations

from pathlib import Path

from pipelines.competition import Competition
from pipelines.download import RawFiles
from pipelines.report import html
from pipelines.report.evidence import Evidence
from pipelines.report.gather import gather
from pipelines.summary import Summary


def evidence_of(competition: Competition, raw: RawFiles, folder: Path) -> Evidence:
    """What the folder holds, gathered now if it never was."""
    evidence = Evidence.read(folder)
    if evidence is None:
        evidence = gather(competition, raw, folder)
        evidence.write(folder)
    return evidence


def write(competition: Competition, raw: RawFiles, summary: Summary, folder: Path) -> Path:
    """Write the finished run's page; give its path."""
    return html.write(summary, evidence_of(competition, raw, folder), folder)
