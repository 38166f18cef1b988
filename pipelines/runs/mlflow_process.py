"""Writes a run to MLflow from a process of its own, which loads MLflow while the run is trained.

The import takes seconds, which another core has meanwhile. The process knows of nothing but the
run's folder; it ends with the command, and where it fails the command writes the run itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.runs import mlflow_record
from pipelines.stages.run_contents import RunContents
from pipelines.tracking import opening
from pipelines.tracking.stores import Store, TrackingError
from pipelines.tracking.tracker import Tracker
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import Summary

RUN_ID, ERROR = "run_id", "error"  # keys of the answer


class MLflowProcess:
    """A process that has loaded MLflow, and writes one run."""

    def __init__(self) -> None:
        code = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as own; own.serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for the command
        )

    def log(self, folder: Path, root: Path, store: Store) -> str | None:
        """Write the run of that folder; its MLflow id, None where the process could not.

        Raises:
            TrackingError: The server cannot be reached, or refused.
        """
        if self._process.poll() is not None:
            return None
        asked = {"folder": str(folder), "root": str(root), "store": asdict(store)}
        try:
            text, _ = self._process.communicate(json.dumps(asked))
        except OSError:
            return None
        answer: dict[str, str] = json.loads(text) if text else {}
        if ERROR in answer:
            raise TrackingError(answer[ERROR])
        return answer.get(RUN_ID)

    def end(self) -> None:
        """End it, if it waits for a run or still writes one."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def loading(tracker: Tracker | None, layout: RunLayout) -> Iterator[MLflowProcess | None]:
    """A process that loads MLflow during the block; None where no run is to be written."""
    if tracker is None or layout.summary_file.is_file():
        yield None
        return
    process = MLflowProcess()
    try:
        yield process
    finally:
        process.end()


def serve() -> None:
    """Load MLflow, wait for a run on the standard input, write it, and answer with its id."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    opening.load()
    text = sys.stdin.read()
    if text:
        json.dump(_written(json.loads(text)), answers)
        answers.close()


def _written(asked: dict[str, Any]) -> dict[str, str]:
    layout = RunLayout(Path(asked["folder"]))
    summary = Summary.read(layout.folder)
    assert summary is not None, "a run is written when it is finished"
    store = Store(**asked["store"])
    try:
        root = Path(asked["root"])
        run_id = mlflow_record.log_run(summary, RunContents(layout), root=root, store=store)
    except TrackingError as error:
        return {ERROR: str(error)}
    return {RUN_ID: run_id}
