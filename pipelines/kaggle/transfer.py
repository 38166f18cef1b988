"""Fetches one large file over HTTP, and resumes at the byte where the connection broke."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import requests
from pydantic import BaseModel, ConfigDict

from pipelines.console import Advance
from pipelines.kaggle.retry import Patience

CHUNK_BYTES = 1 << 14  # at most these are lost with a connection


class Remote(BaseModel):
    """The identity of a file on a server, from its headers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    etag: str | None
    n_bytes: int | None

    @classmethod
    def of(cls, response: requests.Response) -> Remote:
        """From the headers of a complete answer; a weak ETag does not identify bytes."""
        etag = response.headers.get("ETag", "")
        length = response.headers.get("Content-Length")
        encoded = "Content-Encoding" in response.headers
        return cls(
            etag=None if not etag or encoded or etag.startswith("W/") else etag,
            n_bytes=int(length) if length and not encoded else None,
        )

    @property
    def is_known(self) -> bool:
        """Whether two files with these headers are the same file."""
        return self.etag is not None and self.n_bytes is not None


def fetch(
    ask: Callable[[], requests.Response],
    session: requests.Session,
    parts: Path,
    *,
    patience: Patience,
    unless: Remote | None = None,
    progress: Advance | None = None,
) -> tuple[Path, Remote] | None:
    """Fetch a file.

    Args:
        ask: Requests the whole file; the body of its answer is not read yet.
        session: Sends the requests for the rest of a file.
        parts: A folder for the bytes received; made if missing. They stay there when the
            connection breaks, and a later call resumes if the server still has the same file.
        patience: How long to wait, and how often to try.
        unless: The file that is here already.
        progress: Called with the bytes so far and their total, if the server gives it.

    Returns:
        The whole file in `parts`, and its identity on the server; None if it is `unless`.

    Raises:
        requests.RequestException: It could not be fetched in the tries of `patience`.
        OSError: The folder cannot be written; the bytes received are lost.
    """

    def attempt() -> tuple[Path, Remote] | None:
        response = ask()
        remote = Remote.of(response)
        if unless is not None and unless.is_known and remote == unless:
            response.close()
            return None
        parts.mkdir(parents=True, exist_ok=True)
        if start := _held_bytes(_part(parts, remote), remote):
            response = _rest(response, session, start, remote, patience)
        if response.status_code != requests.codes.partial_content:
            start, remote = 0, Remote.of(response)
        return _take(response, start, remote, parts, progress), remote

    return patience.persist(attempt)


def _rest(
    whole: requests.Response,
    session: requests.Session,
    start: int,
    remote: Remote,
    patience: Patience,
) -> requests.Response:
    """Leave the answer `whole` unread, and request the bytes from `start` on.

    Source: RFC 9110, sections 13.1.5 (If-Range) and 14.2 (Range).
    """
    whole.close()
    request = whole.request.copy()
    request.headers.update({"Range": f"bytes={start}-", "If-Range": str(remote.etag)})
    settings = session.merge_environment_settings(str(request.url), {}, True, None, None)
    timeout = (patience.connect_timeout_s, patience.read_timeout_s)
    rest = session.send(request, timeout=timeout, **settings)
    rest.raise_for_status()
    promised = f"bytes {start}-{(remote.n_bytes or 0) - 1}/{remote.n_bytes}"
    is_part = rest.status_code == requests.codes.partial_content
    if is_part and rest.headers.get("Content-Range") != promised:
        rest.close()
        raise requests.exceptions.ChunkedEncodingError("the server sent other bytes than requested")
    return rest


def _take(
    response: requests.Response,
    start: int,
    remote: Remote,
    parts: Path,
    progress: Advance | None,
) -> Path:
    """Write the body after the first `start` bytes; remove the other, outdated files in `parts`."""
    part = _part(parts, remote)
    for stale in parts.iterdir():
        if stale != part:
            stale.unlink()
    try:
        with response, part.open("ab" if start else "wb") as target:
            for chunk in response.iter_content(CHUNK_BYTES):
                target.write(chunk)
                if progress is not None and remote.n_bytes is not None:
                    progress(target.tell(), remote.n_bytes)
            target.flush()
            os.fsync(target.fileno())
    except requests.RequestException:
        if not remote.is_known:
            part.unlink()
        raise
    except OSError:
        part.unlink(missing_ok=True)
        raise
    return part


def _held_bytes(part: Path, remote: Remote) -> int:
    """How many bytes of that file are here; 0 if the transfer cannot be resumed."""
    held = part.stat().st_size if remote.is_known and part.is_file() else 0
    return held if held < (remote.n_bytes or 0) else 0


def _part(parts: Path, remote: Remote) -> Path:
    """Named by the file that it is a part of, so that it is never continued as another one."""
    mark = hashlib.sha256(remote.model_dump_json().encode()).hexdigest()[:16]
    return parts / f"{mark}.part"
