"""Ctrl-C in a destructor, whose exceptions Python ignores: it is sent again a moment later."""

from __future__ import annotations

import _thread
import sys
import threading

AGAIN_S = 0.01


def keep() -> None:
    """Let no Ctrl-C be lost in this process, and say nothing of one that comes again."""
    usual = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # By a thread, since raised here it would be ignored once more.
            threading.Timer(AGAIN_S, _thread.interrupt_main).start()
        else:
            usual(unraisable)

    sys.unraisablehook = hook
