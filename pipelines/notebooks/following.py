"""Follows a notebook on Kaggle to its end: where it is, its log line by line, and how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.console import Narrator
from pipelines.kaggle.client import Kaggle
from pipelines.kaggle.errors import AGAIN, Subject
from pipelines.kaggle.kernels import State
from pipelines.kaggle.log_stream import N_LAST, LogStream
from pipelines.kaggle.retry import Patience
from pipelines.notebooks.pushed import Record

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0  # between two looks
ABSENT_S = 180.0  # how long Kaggle may not know a notebook that was just pushed
QUEUED_S = 3600.0  # how long it may wait for a machine


class NotEndedError(RuntimeError):
    """A notebook that goes on after the time that this command waits."""

    exit_code = 7


class NotebookFailedError(RuntimeError):
    """A notebook that failed on Kaggle's machine, or was cancelled."""

    exit_code = 8


@dataclass
class Follower:
    """One notebook's way to its end.

    Attributes:
        kaggle: Signed in.
        record: Of its push.
        accelerator: That was asked for; None for none by name.
        wait_s: How long to wait at most, in seconds.
        patience: Waits.
        narrator: Shows every change, and every line of the log.
    """

    kaggle: Kaggle
    record: Record
    accelerator: str | None
    wait_s: float
    patience: Patience
    narrator: Narrator
    _waited: float = 0.0
    _pause: float = FIRST_PAUSE_S
    _told: str = ""
    _machine_is_checked: bool = field(default=False, init=False)

    @property
    def subject(self) -> Subject:
        """The notebook, as errors name it."""
        left = f"version {self.record.version} goes on there: the same command resumes"
        return Subject(self.record.address, "notebook", left=left)

    def follow(self) -> State:
        """Wait for its end.

        Raises:
            NotEndedError: It has not ended in time; it goes on there.
            KaggleError: Kaggle refused, could not be reached, does not know the notebook, or has
                a newer version of it, so that it tells nothing of this one any more.
        """
        log = self.kaggle.kernels.log(self.subject)
        while True:
            state = self._look()
            self._tell(state)
            if state is not None and state.word != "queued":
                self._read(log)
            if state is not None and state.is_over:
                return state
            self._wait(state)

    def _look(self) -> State | None:
        """Where it is; None while Kaggle does not know it, or shows the version before it."""
        state = self.kaggle.kernels.state(self.subject)
        if state is None or not state.is_over:
            return state
        seen = self.kaggle.kernels.look(self.subject)
        if seen is not None and seen.version > self.record.version:
            raise Subject(self.record.address, "notebook").failed(
                f"version {seen.version} of {self.record.address} was pushed meanwhile, and Kaggle "
                f"tells of the newest only, not of version {self.record.version}",
                f"look at {self.subject.page}",
            )
        is_earlier = seen is None or 0 < seen.version < self.record.version
        return None if is_earlier else state

    def _tell(self, state: State | None) -> None:
        word = "not there yet" if state is None else state.word
        if word != self._told:
            self._told, self._pause, waited = word, FIRST_PAUSE_S, self._waited
            self.narrator.say("notebook", f"{word}   after {waited:,.0f} s" if waited else word)
        if state is not None and state.word != "queued" and not self._machine_is_checked:
            self._machine_is_checked = True
            self._check_machine()

    def _check_machine(self) -> None:
        """Source: issues 821 and 1197 of Kaggle/kaggle-cli: another machine, without a word."""
        seen = self.kaggle.kernels.look(self.subject) if self.accelerator else None
        if self.accelerator and seen and self.accelerator.lower() not in seen.machine.lower():
            self.narrator.warn(
                f"asked for {self.accelerator}, Kaggle gave {seen.machine or 'no accelerator'}; "
                f"cancel it at {self.subject.page} if that will not do"
            )

    def _read(self, log: LogStream) -> None:
        began = time.monotonic()
        log.read(lambda line: self.narrator.say("log", line))
        self._waited += time.monotonic() - began

    def _wait(self, state: State | None) -> None:
        """Pause, unless the time is over."""
        limits = {"queued": QUEUED_S, "running": self.wait_s}
        limit = min(self.wait_s, limits[state.word] if state else ABSENT_S)
        if self._waited >= limit:
            raise self._out_of_time(state)
        pause = min(self._pause, limit - self._waited)
        self.patience.sleep(pause)
        self._waited, self._pause = self._waited + pause, min(self._pause * 1.5, LONGEST_PAUSE_S)

    def _out_of_time(self, state: State | None) -> Exception:
        version, address = self.record.version, self.record.address
        if state is None:
            return Subject(address, "notebook").failed(
                f"Kaggle does not know version {version} of {address} {self._waited:.0f} s after "
                "the push",
                f"look at {self.subject.page}, and {AGAIN}",
            )
        return NotEndedError(
            f"version {version} of {address} is still {state.word} after {self._waited:.0f} s; it "
            f"goes on there: the same command resumes; {self.subject.page} shows it"
        )


def require_success(follower: Follower, state: State, place: Path) -> None:
    """Keep how it ended, and tell why where it failed.

    Raises:
        NotebookFailedError: It failed or was cancelled.
    """
    follower.record.changed(place, end=state.word)
    if state.word == "complete":
        return
    lines = follower.kaggle.kernels.outputs(follower.subject)[1]
    for line in lines[-N_LAST:]:
        follower.narrator.say("log ends", line)
    version, subject = follower.record.version, follower.subject
    how = "was cancelled" if state.word == "cancelled" else "failed"
    why = state.reason or (lines[-1] if lines else "Kaggle gave no reason")
    raise NotebookFailedError(
        f"version {version} of {subject.slug} {how}: {why}; look at {subject.page}; the same "
        "command pushes it once more"
    )
