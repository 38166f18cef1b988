"""What `--on` names: the cluster that does the work."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

RAY = "ray"
RAY_ADDRESS = "RAY_ADDRESS"  # environment variable, Ray's own
TIMEOUT_S = 5.0
HOW_TO_START = (
    "start one with `ray start --head`, and add a machine by `ray start --address=HOST:6379` there"
)


class ClusterError(ValueError):
    """A cluster that does not exist, cannot be reached, or does not let us in."""

    exit_code = 2


@dataclass(frozen=True)
class ClusterAddress:
    """A cluster of Ray.

    Attributes:
        host: Of its head; None for the cluster that this machine belongs to.
        port: Of its head.
        origin: What named it, for messages.
    """

    host: str | None
    port: int | None
    origin: str

    @classmethod
    def of(cls, on: str) -> Self:
        """What was typed as `--on`.

        Raises:
            ClusterError: It names no cluster of Ray.
        """
        if on.startswith("ray://"):
            raise ClusterError(_client(f"--on {on}"))
        kind, colon, place = on.partition(":")
        if kind != RAY or (colon and not place):
            raise ClusterError(f"--on {on}: found {on!r}, expected ray or ray:HOST:6379")
        if place:
            return cls._of_place(place, f"--on {on}")
        named = os.environ.get(RAY_ADDRESS, "")
        if named in ("", "auto"):
            return cls(None, None, "--on ray")
        return cls._of_place(named, f"{RAY_ADDRESS}={named}")

    @classmethod
    def _of_place(cls, place: str, origin: str) -> Self:
        if place.startswith("ray://"):
            raise ClusterError(_client(origin))
        found = re.fullmatch(r"\[?([^\]\s]+?)\]?:(\d{1,5})", place)
        if found is None:
            raise ClusterError(f"{origin}: found {place!r}, expected HOST:PORT, as 10.0.0.1:6379")
        return cls(found[1], int(found[2]), origin)

    @property
    def as_ray(self) -> str:
        """As Ray takes it; `auto` starts no cluster."""
        return "auto" if self.host is None else f"{self.host}:{self.port}"

    def check_reachable(self) -> None:
        """Look whether anything answers there; Ray itself would try for a minute.

        Raises:
            ClusterError: Nothing does.
        """
        if self.host is None:
            return
        try:
            socket.create_connection((self.host, self.port or 0), TIMEOUT_S).close()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ClusterError(
                f"{self.origin}: no cluster answers at {self.as_ray}: {reason}; {HOW_TO_START}"
            ) from error

    def refusal(self, text: str, *, is_of_token: bool) -> str:
        """Why Ray did not let us in, in a line.

        Args:
            text: What Ray says.
            is_of_token: Whether it says that of the token.
        """
        if is_of_token:
            return (
                f"{self.origin}: the cluster did not accept this machine's token; set "
                "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to its head's token"
            )
        if "Version mismatch" in text:
            return f"{self.origin}: {text}; install the cluster's versions here"
        if self.host is not None:
            return (
                f"{self.origin}: cannot join {self.as_ray} from this machine: {text[:200]}; first "
                f"make it part of the cluster: ray start --address={self.as_ray}"
            )
        if "multiple" in text:
            return f"{self.origin}: several clusters run on this machine; type --on ray:HOST:PORT"
        return f"{self.origin}: no cluster runs on this machine; {HOW_TO_START}"


def _client(origin: str) -> str:
    return (
        f"{origin}: ray:// is Ray's client, which cannot pass on what tasks report; type the "
        "command on a machine of the cluster (`ray start --address=HOST:6379` makes this one "
        "such) with --on ray"
    )


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
