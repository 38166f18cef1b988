"""The columns of MLflow's runs table, kept as a saved view of the experiment.

MLflow's page reads a saved view from a tag of the experiment, lists it under "Saved views", and
opens it if the address names it.
"""

from __future__ import annotations

import json
import time

NAME = "foldwise"
METRICS = ("score", "cv", "local_score", "public_score", "seconds")
TAGS = ("state", "members")
# Pixels. Of a window of 1600 the page leaves 938 to the table while its assistant is open, as it is
# at first; check boxes, names, dates and the scroll bar, which have fixed widths, take 428 of them.
WIDTHS = {
    "metrics.`score`": 82,
    "metrics.`cv`": 82,
    "metrics.`local_score`": 92,
    "metrics.`public_score`": 100,
    "metrics.`seconds`": 76,
    "tags.`state`": 84,
    "tags.`members`": 92,
}
FORMER = [  # of the view that earlier versions kept
    *(f"metrics.`{name}`" for name in ("cv", "cv_std", "local_score", "public_score", "seconds")),
    *(f"tags.`{name}`" for name in ("competition", "source", "members", "git_commit")),
]


def columns() -> list[str]:
    """The columns as MLflow's page names them, from left to right."""
    return [f"metrics.`{name}`" for name in METRICS] + [f"tags.`{name}`" for name in TAGS]


def tags() -> dict[str, str]:
    """Tags of an experiment: its kind, so that the page opens on its runs, and the view."""
    now = int(time.time() * 1000)
    table = {"selectedColumns": columns(), "columnOrder": columns(), "columnWidths": WIDTHS}
    # Sorted by date, as it is: in any other order the page does not nest children.
    state = json.dumps(table)
    view = {"name": NAME, "createdAt": now, "updatedAt": now, "state": state}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{NAME}": json.dumps(view),
    }


def is_former(tag: str) -> bool:
    """Whether a tag's text is the view of an earlier version; one that a person changed is not."""
    try:
        return bool(json.loads(json.loads(tag)["state"])["selectedColumns"] == FORMER)
    except (ValueError, KeyError, TypeError):
        return False


def address(page: str, experiment_id: str) -> str:
    """Where the page shows an experiment's runs in this view."""
    view = f"viewStateShareKey={NAME}"
    return f"{page}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&{view}"
