"""Tells the database that this process's trials are alive, and frees those of dead workers."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from pipelines.tuning.snapshot import WORKER
from pipelines.tuning.storage import StorageError, StorageLostError
from pipelines.tuning.worker import forget_dead, is_dead

JOIN_TIMEOUT_S = 2.0
UNCLAIMED_S = 10.0  # from the start of a trial until its worker has signed it
RUNNING = (TrialState.RUNNING,)


class Heartbeat:
    """A thread that records the heartbeat of the trials in `trials`, within the context.

    A journal file needs none: its workers are processes of this machine, which hold locks.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage if isinstance(storage, RDBStorage) else None
        self._trials: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        if self._storage is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_TIMEOUT_S)

    def add(self, trial: optuna.Trial) -> None:
        """Record the trial's first heartbeat, and go on."""
        if self._storage is not None:
            self._storage.record_heartbeat(trial._trial_id)
            self._trials.add(trial._trial_id)

    def remove(self, trial: optuna.Trial) -> None:
        """The trial has ended."""
        self._trials.discard(trial._trial_id)

    def _beat(self) -> None:
        assert self._storage is not None
        while not self._stopped.wait(self._storage.get_heartbeat_interval()):
            for trial_id in tuple(self._trials):
                try:
                    self._storage.record_heartbeat(trial_id)
                except (StorageError, StorageLostError):
                    return  # the next call of the study raises the same


class Reaper:
    """Marks trials failed whose worker is dead, here or on another machine."""

    def __init__(self, study: optuna.Study, storage: BaseStorage, folder: Path) -> None:
        self._study, self._storage, self._folder = study, storage, folder
        self._is_shared = isinstance(storage, RDBStorage)
        self._seen: dict[int, float] = {}  # when a trial without a worker was first seen

    def free(self) -> None:
        """Free what can be freed now."""
        for trial in self._study.get_trials(deepcopy=False, states=RUNNING):
            if self._has_no_worker(trial):
                _fail(self._study, trial)
        forget_dead(self._folder)
        if self._is_shared and not self._is_back_only_now():
            fail_stale_trials(self._study)

    def _has_no_worker(self, trial: FrozenTrial) -> bool:
        name = trial.user_attrs.get(WORKER)
        if name is not None:
            return is_dead(self._folder, name, are_all_here=not self._is_shared)
        if self._is_shared:  # clocks of two machines differ: only ours counts
            first = self._seen.setdefault(trial.number, time.monotonic())
            return time.monotonic() - first > UNCLAIMED_S
        started = trial.datetime_start
        return started is None or datetime.now() - started > timedelta(seconds=UNCLAIMED_S)

    def _is_back_only_now(self) -> bool:
        """Whether living workers may not have had the time for a heartbeat since an outage."""
        patience = getattr(self._storage, "patience", None)
        grace = getattr(self._storage, "grace_period", None)
        return bool(patience and grace and time.monotonic() - patience.recovered_at < grace)


def _fail(study: optuna.Study, trial: FrozenTrial) -> None:
    try:
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    except optuna.exceptions.UpdateFinishedTrialError:
        return  # another worker was faster
