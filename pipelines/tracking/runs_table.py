"""The columns of MLflow's runs table, kept as a saved view of the experiment.

MLflow's page reads a saved view from a tag of the experiment, lists it under "Saved views", and
opens it if the address names it.
"""

from __future__ import annotations

import json
import time

NAME = "foldwise"
METRICS = ("cv", "cv_std", "local_score", "public_score", "seconds")
TAGS = ("competition", "source", "members", "git_commit")
WIDTH, WIDTHS = 92, {"tags.`members`": 170, "tags.`git_commit`": 110}  # pixels


def columns() -> list[str]:
    """The columns as MLflow's page names them, from left to right."""
    return [f"metrics.`{name}`" for name in METRICS] + [f"tags.`{name}`" for name in TAGS]


def tags() -> dict[str, str]:
    """Tags of an experiment: its kind, so that the page opens on its runs, and the view."""
    now = int(time.time() * 1000)
    widths = {column: WIDTHS.get(column, WIDTH) for column in columns()}
    table = {"selectedColumns": columns(), "columnOrder": columns(), "columnWidths": widths}
    state = json.dumps(table)
    view = {"name": NAME, "createdAt": now, "updatedAt": now, "state": state}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{NAME}": json.dumps(view),
    }


def address(page: str, experiment_id: str) -> str:
    """Where the page shows an experiment's runs in this view."""
    view = f"viewStateShareKey={NAME}"
    return f"{page}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&{view}"
