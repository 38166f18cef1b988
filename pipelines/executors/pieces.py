"""Pieces of the caller's work, each of which waits for tasks of its own while the others wait too.

Each piece has a thread, but one alone goes on at any time: the caller, or the piece whose turn it
is. What they compute therefore depends on no race, and nothing in them needs a lock.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Step = Callable[[], None]  # goes on with the tasks of all pieces for a moment
_of_thread = threading.local()


class _LeftError(BaseException):
    """Ends a piece whose result nobody waits for any more."""


class _Piece:
    """One piece of work, which waits for its first turn."""

    def __init__(self, work: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
        self._may_go, self._has_paused = threading.Event(), threading.Event()
        self._is_left = False
        self._can_go: Callable[[], bool] = lambda: True
        context = contextvars.copy_context()
        self._future: Future[Any] = pool.submit(context.run, self._run, work)
        self._future.add_done_callback(lambda _: self._has_paused.set())

    def _run(self, work: Callable[[], Any]) -> Any:
        _of_thread.piece = self
        self._may_go.wait()
        if self._is_left:
            raise _LeftError
        return work()

    def pause(self, can_go: Callable[[], bool]) -> None:
        """Give the turn back until that is so; called by the piece itself.

        A piece that is left takes what is there for it, and ends where it would have to wait.
        """
        self._can_go = can_go
        self._may_go.clear()
        if not self._is_left:
            self._has_paused.set()
            self._may_go.wait()
        if self._is_left and not can_go():
            raise _LeftError

    @property
    def is_over(self) -> bool:
        return self._future.done()

    def go(self) -> None:
        """Its turn, where it can go on: until it waits for tasks, or ends; raises its error."""
        if not self.is_over and self._can_go():
            self._has_paused.clear()
            self._may_go.set()
            self._has_paused.wait()
        if self.is_over:
            self._future.result()

    def result(self) -> Any:
        return self._future.result()

    def release(self) -> None:
        """Let it end, with everything that it holds."""
        self._is_left = True
        self._may_go.set()

    def leave(self) -> None:
        """The same, and wait for it."""
        self.release()
        self._future.exception()


@contextmanager
def _begun(works: Sequence[Callable[[], Any]]) -> Iterator[list[_Piece]]:
    """The pieces; those that have not ended end with the context."""
    with ThreadPoolExecutor(max(1, len(works)), thread_name_prefix="piece") as pool:
        pieces = [_Piece(work, pool) for work in works]
        try:
            yield pieces
        finally:
            try:
                for piece in pieces:
                    piece.leave()
            finally:  # also where a second Ctrl-C comes meanwhile
                for piece in pieces:
                    piece.release()


def done_together(works: Sequence[Callable[[], T]], step: Step) -> list[T]:
    """Do pieces of work that wait for tasks within `until`; their results, in order.

    The first tasks of all pieces are there before the first step. A piece's error ends the others.

    Args:
        works: The pieces; each begins in the order given.
        step: Goes on with their tasks.
    """
    with _begun(works) as pieces:
        while not all(piece.is_over for piece in pieces):
            for piece in pieces:
                piece.go()
            if not all(piece.is_over for piece in pieces):
                step()
        return [piece.result() for piece in pieces]


def until(can_go: Callable[[], bool], step: Step) -> None:
    """Wait for one's own tasks: as a piece, or alone."""
    piece: _Piece | None = getattr(_of_thread, "piece", None)
    while not can_go():
        if piece is None:
            step()
        else:
            piece.pause(can_go)
