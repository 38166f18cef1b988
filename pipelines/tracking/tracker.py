"""Tracks what is made, whatever becomes of the MLflow server; its trouble is a warning.

A server that is not there at the start is replaced by the workspace's own store. What a server
missed is kept, and `foldwise sync` sends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.console import Narrator
from pipelines.tracking import log, outbox, stores
from pipelines.tracking.record import Record
from pipelines.tracking.stores import Store, TrackingError
from pipelines.workspace.summary import Summary

if TYPE_CHECKING:
    from pipelines.stages.run_contents import RunContents

LATER = "when it is back, type foldwise sync"


@dataclass(frozen=True)
class Tracker:
    """Where records go from here on.

    Attributes:
        root: the workspace.
        store: the one that is used.
        is_instead: whether it stands in for a server that was not there.
    """

    root: Path
    store: Store
    is_instead: bool
    narrator: Narrator

    @classmethod
    def start(cls, root: Path, narrator: Narrator) -> Tracker:
        """The store that is wanted, or the workspace's own where that cannot be reached."""
        store = stores.wanted(root)
        try:
            stores.reach(store)
        except TrackingError as error:
            narrator.warn(f"{error}; the workspace's own store is used instead; {LATER}")
            return cls(root, stores.local(root), is_instead=True, narrator=narrator)
        return cls(root, store, is_instead=False, narrator=narrator)

    def run(self, summary: Summary, contents: RunContents) -> Summary:
        """Write a finished run, unless it is written already; give the summary with its id."""
        if summary.mlflow_run_id is not None:
            return summary
        competition, run = summary.competition, summary.run
        try:
            run_id = log.log_run(summary, contents, root=self.root, store=self.store)
        except TrackingError as error:
            outbox.keep_run(self.root, competition, run)
            self.narrator.warn(f"{error}; the run is whole on disk; {LATER}")
            return summary
        if self.is_instead:
            outbox.keep_run(self.root, competition, run)
        else:
            outbox.forget_run(self.root, competition, run)
        tracked = summary.tracked(run_id, is_local=self.store.is_local)
        tracked.write(contents.layout.folder)
        return tracked

    def family(self, parent: Record, children: Sequence[Record], experiment: str) -> str | None:
        """Write a run and the runs beneath it; give the parent's id, None where none was given."""
        run_id, trouble = None, None
        try:
            run_id = log.log_family(
                parent, children, experiment=experiment, root=self.root, store=self.store
            )
        except TrackingError as error:
            trouble = error
        self.note(trouble, parent, children, experiment)
        return run_id

    def note(
        self,
        trouble: TrackingError | None,
        parent: Record,
        children: Sequence[Record],
        experiment: str,
    ) -> None:
        """Keep a family that the wanted server did not get, and say why."""
        if trouble is not None:
            self.narrator.warn(f"{trouble}; everything is whole on disk; {LATER}")
        if trouble is not None or self.is_instead:
            outbox.keep_family(self.root, experiment, parent, children)

    def later(
        self, summary: Summary, metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Add to a finished run what became known later, where the run was tracked."""
        if summary.mlflow_run_id is None:
            return
        # A run that stands in the workspace's own store is there, whatever server is wanted now.
        store = stores.local(self.root) if summary.mlflow_is_local else self.store
        try:
            log.log_later(
                summary.mlflow_run_id, metrics=metrics, tags=tags, root=self.root, store=store
            )
        except TrackingError as error:
            outbox.keep_run(self.root, summary.competition, summary.run)
            self.narrator.warn(f"{error}; the scores stand in the ledger; {LATER}")
