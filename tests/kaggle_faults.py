"""What a case of a fault is, and the ways to bring faults about that both commands know."""

import resource
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Case:
    """One fault: how it is brought about, and what must come of it."""

    fault: str
    arrange: Callable
    code: int
    message: str
    left: str
    n_sent: int = 0


def queued(endpoint, *faults):
    return lambda server, _: server.on(endpoint, *faults)


def always(endpoint, fault):
    return lambda server, _: server.always(endpoint, fault)


def signed_out(_, patch):
    patch.delenv("KAGGLE_USERNAME")
    patch.delenv("KAGGLE_KEY")


def wrong_key(_, patch):
    patch.setenv("KAGGLE_KEY", "an-old-key")


def wrong_token(_, patch):
    patch.setenv("KAGGLE_API_TOKEN", "KGAT_an-old-token")


def nobody_listens(_, patch):
    from kagglesdk.kaggle_env import KaggleEnv, _env_to_endpoint

    patch.setitem(_env_to_endpoint, KaggleEnv.PROD, "http://127.0.0.1:1")


def limit_files(patch, n_bytes):
    """No file may grow past so many bytes, until the patch is undone."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    patch.callback = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


class Patch(pytest.MonkeyPatch):
    """Also undoes what is not a patch."""

    callback = staticmethod(lambda: None)

    def undo(self):
        self.callback()
        super().undo()


@contextmanager
def suffering(case, server):
    patch = Patch()
    try:
        case.arrange(server, patch)
        yield
    finally:
        patch.undo()
