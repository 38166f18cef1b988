"""What a machine of a cluster must have in common with this one, and what it should have."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.executors.address import ClusterError
from pipelines.workspace.provenance import LIBRARIES, machine

FURTHER = ("safetensors", "threadpoolctl", "joblib")  # which a task imports, too


class UnlikeMachineError(ClusterError):
    """A machine of the cluster whose results would not be those of this one."""


@dataclass(frozen=True)
class Facts:
    """What the results of a task depend on beside its data and settings.

    Attributes:
        versions: By name, Python's and the libraries' versions; None for one that is absent.
        processor: The kind of processor.
    """

    versions: dict[str, str | None]
    processor: str


@functools.cache
def facts() -> Facts:
    """Those of the machine that this process runs on."""
    versions = {name: _version(name) for name in (*LIBRARIES, *FURTHER)}
    return Facts({"python": platform.python_version(), **versions}, str(machine()["processor"]))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def differences(there: Facts, here: Facts) -> Iterator[str]:
    """Each package that differs, as `torch 2.5.1, here 2.6.0`."""
    for name, version in here.versions.items():
        found = there.versions.get(name)
        if found is None and version is not None:
            yield f"no {name}, here {version}"
        elif found != version:
            yield f"{name} {found}, here {version}"


def check_alike(node: str, there: Facts, here: Facts) -> None:
    """Check that a node has this machine's library versions.

    Raises:
        UnlikeMachineError: It has not; names the node and the packages.
    """
    if found := list(differences(there, here)):
        raise UnlikeMachineError(
            f"node {node} has {'; '.join(found)}: results would differ; install the same versions "
            "there (constraints.txt lists them), or take the node out of the cluster"
        )


def unlike_processors(nodes: Sequence[tuple[str, Facts]], here: Facts) -> str | None:
    """One warning of all nodes whose kind of processor is another; None where there is none."""
    others = [f"{node} ({f.processor})" for node, f in nodes if f.processor != here.processor]
    if not others:
        return None
    return (
        f"{', '.join(others)}: another kind of processor than this machine's {here.processor}; the "
        "last digits of results may depend on which of them did what"
    )
