"""Logs records whatever becomes of the MLflow server: a failure is a warning, and nothing is lost.

A server that is unreachable at the start is replaced by the workspace's own store. What a server
missed is kept, and `foldwise sync` sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import extras
from pipelines.console import Narrator
from pipelines.tracking import log, outbox, stores
from pipelines.tracking.record import Family, Record, Update
from pipelines.tracking.stores import Store, TrackingError

if TYPE_CHECKING:
    pass

LATER = "when it is back, type foldwise sync"


@dataclass(frozen=True)
class Tracker:
    """Where records go during one command.

    Attributes:
        root: The workspace.
        store: The store that is used.
        is_instead: Whether it replaces a server that could not be reached.
        narrator: Prints the warnings.
    """

    root: Path
    store: Store
    is_instead: bool
    narrator: Narrator

    @classmethod
    def start(cls, root: Path, narrator: Narrator) -> Tracker | None:
        """A tracker to the wanted store, or to the workspace's own where that is unreachable.

        None where MLflow is not installed, which is a warning.
        """
        try:
            extras.need("mlflow")
        except extras.MissingLibraryError as error:
            narrator.warn(f"{error}; nothing is tracked")
            return None
        store = stores.wanted(root)
        try:
            stores.reach(store)
        except TrackingError as error:
            narrator.warn(f"{error}; the workspace's own store is used instead; {LATER}")
            return cls(root, stores.local(root), is_instead=True, narrator=narrator)
        return cls(root, store, is_instead=False, narrator=narrator)

    def run(
        self, record: Record, experiment: str, elsewhere: Callable[[], str | None] | None = None
    ) -> str | None:
        """Log a finished run; the MLflow run's id, or None where the store did not take it.

        Args:
            record: The run.
            experiment: By name.
            elsewhere: Logs it in another process; None where that could not, and this one does.
        """
        try:
            run_id = elsewhere() if elsewhere else None
            run_id = run_id or log.log_family(
                Family(record, ()),
                experiment=experiment,
                root=self.root,
                store=self.store,
                again=True,
            )
        except TrackingError as error:
            outbox.keep_run(self.root, experiment, record.name, is_local=self.store.is_local)
            self.narrator.warn(f"{error}; the run is whole on disk; {LATER}")
            return None
        if self.is_instead:
            outbox.keep_run(self.root, experiment, record.name)
        else:
            outbox.forget_run(self.root, experiment, record.name)
        return run_id

    def family(self, family: Family, experiment: str) -> str | None:
        """Log a parent and its children; the parent's id, None where the store took none."""
        run_id, failure = None, None
        try:
            run_id = log.log_family(family, experiment=experiment, root=self.root, store=self.store)
        except TrackingError as error:
            failure = error
        self.note(failure, family, experiment)
        return run_id

    def note(self, failure: TrackingError | None, family: Family, experiment: str) -> None:
        """Keep a family that the wanted server did not get, and warn where there was a failure."""
        if failure is not None:
            self.narrator.warn(f"{failure}; everything is whole on disk; {LATER}")
        if failure is not None or self.is_instead:
            is_missing = failure is not None and self.store.is_local
            outbox.keep_family(self.root, experiment, family, is_local=is_missing)

    def update(self, update: Update) -> None:
        """Add to a run that was logged earlier."""
        # A run in the workspace's own store stays there, whatever server is wanted now.
        store = stores.local(self.root) if update.is_local else self.store
        try:
            log.log_update(update, root=self.root, store=store)
        except TrackingError as error:
            outbox.keep_run(self.root, update.experiment, update.run, is_local=store.is_local)
            self.narrator.warn(f"{error}; the scores are in the ledger; {LATER}")
