"""A blend's report: one self-contained page, made of its summary and findings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pipelines.blending.findings import Findings
from pipelines.figures import blend as figures
from pipelines.figures.output import inline_svg
from pipelines.report.html import environment
from pipelines.workspace import files
from pipelines.workspace.finished_runs import NoRunError, by_id_or_competition
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.summary import Summary


def write_report(summary: Summary, layout: RunLayout, *, title: str) -> Path:
    """Write the page whole or not at all; gives its path."""
    findings = Findings.read(layout)
    values = _values(summary, findings)
    text = environment().get_template("blend.html").render(s=summary, title=title, **values)
    return files.write_text(layout.report_file, text)


def page_of_blend(root: Path, name: str) -> Path | None:
    """The page of the blend of that id, or of a competition whose newest run is one; else None.

    It is written again where it is lacking.
    """
    try:
        layout = by_id_or_competition(Workspace(root), name)
    except NoRunError:
        return None
    summary = Summary.read(layout.folder)
    if summary is None or summary.kind != "blend":
        return None
    if not layout.report_file.is_file():
        write_report(summary, layout, title=summary.competition)
    return layout.report_file


def _values(summary: Summary, findings: Findings) -> dict[str, Any]:
    metric = summary.metric.replace("_", " ")
    sign = 1 if summary.greater_is_better else -1
    best = max(sign * way.score for way in summary.ways)
    order = sorted(summary.members, key=lambda line: (-abs(line.weight), -sign * line.score))
    origins = {member.name: member.origin for member in findings.members}
    return {
        "metric": metric,
        "f": findings,
        "methods": [
            way.model_dump()
            | {"behind": best - sign * way.score, "is_chosen": way.name == summary.way}
            for way in summary.ways
        ],
        "members": [line.model_dump() | {"origin": origins[line.name]} for line in order],
        "has_weights": any(line.weight for line in summary.members),
        "by_fold": ", ".join(f"{name} ({n})" for name, n in Counter(findings.by_fold).items()),
        "map": _map(findings),
        "adds": _adds(summary, metric),
    }


def _map(findings: Findings) -> Markup:
    figure = figures.correlation_map(findings.mapped, np.array(findings.correlations))
    label = "correlations of the members' out-of-fold predictions"
    return Markup(inline_svg(figure, name="map", label=label))


def _adds(summary: Summary, metric: str) -> Markup:
    known = [line for line in summary.members if line.adds]
    if not known:
        return Markup(
            '<p class="lead">Not measured: there is one member, or one has all the weight.</p>'
        )
    adds = np.array([line.adds for line in known])
    figure = figures.contributions([line.name for line in known], adds, metric=metric)
    return Markup(inline_svg(figure, name="adds", label="what each member adds"))
