"""Opens the executor that `--on` names; without it the work is done here, and ray not imported."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator

from models.executor import LOCAL, Executor
from pipelines.console import Narrator
from pipelines.executors.address import ClusterAddress, ClusterError

ATTEMPTS = "RAY_NUM_REDIS_GET_RETRIES"  # at joining a cluster that refuses; Ray's default is 20


@contextlib.contextmanager
def opened(on: str | None, narrator: Narrator) -> Iterator[Executor]:
    """The executor, until the context ends.

    Args:
        on: `ray` or `ray:HOST:PORT`; None for this process.
        narrator: Tells which cluster it is, and warns.

    Raises:
        ClusterError: There is no such cluster, or its machines are unlike this one.
    """
    if on is None:
        yield LOCAL
        return
    address = ClusterAddress.of(on)
    prepare(address)
    from pipelines.executors.ray import connected

    with connected(address, narrator) as executor:
        yield executor


def prepare(address: ClusterAddress) -> None:
    """What must be so before ray is imported.

    Raises:
        ClusterError: Ray is not installed, or nothing answers at the address.
    """
    check_installed(address.origin)
    address.check_reachable()
    os.environ.setdefault(ATTEMPTS, "3")


def check_installed(origin: str) -> None:
    """Check that Ray is there, without importing it.

    Raises:
        ClusterError: It is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(f"{origin}: Ray is not installed; type: pip install 'foldwise[ray]'")
