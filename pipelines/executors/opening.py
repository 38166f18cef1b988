"""Opens the executor that `--on` names; without it the work is done here, and ray not imported."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator

from models.executor import LOCAL, Executor
from pipelines.console import Narrator
from pipelines.executors.address import ClusterAddress, ClusterError


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
    check_installed(address.origin)
    from pipelines.executors.ray import connected

    with connected(address, narrator) as executor:
        yield executor


def check_installed(origin: str) -> None:
    """Check that Ray is there, without importing it.

    Raises:
        ClusterError: It is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(f"{origin}: Ray is not installed; type: pip install 'foldwise[ray]'")
