"""Kaggle's official package: its import, its silence, and a timeout on each of its requests.

It is imported inside functions: the import makes a folder and, if a token is set, a network call.
It prints on standard output, which is for results alone, so its output is discarded.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from pipelines.kaggle.errors import Subject, as_kaggle_error
from pipelines.kaggle.http_faults import status
from pipelines.kaggle.retry import Patience

ABSENT = (403, 404)  # what Kaggle answers of something that is not there, or not there yet

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """A signed-in client.

    Attributes:
        api: The package's own class, with what its command line can do.
        client: The services that it is made of.
        patience: How long to wait, and how often to try.
    """

    api: Any
    client: Any
    patience: Patience

    def ask(self, subject: Subject, call: Callable[[], T]) -> T:
        """What the call gives, tried again where that can help.

        Raises:
            KaggleError: Kaggle refused or could not be reached.
        """
        with as_kaggle_error(subject, self.patience):
            return self.patience.persist(lambda: quietly(call))


def quietly(call: Callable[..., T], *arguments: object, **named: object) -> T:
    """What the call gives, without what it prints."""
    with redirect_stdout(io.StringIO()):
        return call(*arguments, **named)


def heard(patience: Patience) -> Patience:
    """That patience, whose words are heard within `quietly` too."""
    out = sys.stdout

    def tell(text: str) -> None:
        with redirect_stdout(out):
            patience.tell(text)

    return replace(patience, tell=tell)


def if_there(call: Callable[[], T]) -> T | None:
    """What the call gives; None where Kaggle says that there is no such thing."""
    try:
        return call()
    except requests.RequestException as error:
        if status(error) in ABSENT:
            return None
        raise


def import_api(subject: Subject) -> Any:
    """The package's class; with VERBOSE set it would print each request, credentials included.

    Raises:
        KaggleError: The package is missing, or cannot make its folder.
    """
    verbose = {name: os.environ.pop(name, None) for name in ("VERBOSE", "VERBOSE_OUTPUT")}
    try:
        return quietly(_import)
    except ImportError as error:
        raise subject.failed(
            f"the kaggle package cannot be imported ({error})",
            "type: pip install 'foldwise[kaggle]'",
        ) from error
    except OSError as error:
        raise subject.failed(
            f"the kaggle package cannot make its folder {error.filename} ({error.strerror})",
            "set KAGGLE_CONFIG_DIR to a folder that can be written",
        ) from error
    finally:
        os.environ.update({name: text for name, text in verbose.items() if text is not None})


def _import() -> Any:
    from kaggle.api.kaggle_api_extended import KaggleApi

    return KaggleApi


class _BoundedAdapter(HTTPAdapter):
    """Sets a timeout on requests that have none."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self._timeout_s = (patience.connect_timeout_s, patience.read_timeout_s)

    def send(self, request: Any, *arguments: Any, **settings: Any) -> requests.Response:
        if settings.get("timeout") is None:
            settings["timeout"] = self._timeout_s
        return super().send(request, *arguments, **settings)


def mount(session: requests.Session, patience: Patience) -> None:
    """Let every request of the session end in time."""
    for scheme in ("https://", "http://"):
        session.mount(scheme, _BoundedAdapter(patience))


@contextmanager
def bounded(patience: Patience) -> Iterator[None]:
    """Set a timeout on every session of the package within; by default it has none.

    Patched on the class before the package is imported, because the import already signs in.
    """
    from kagglesdk import kaggle_http_client

    client_class: Any = kaggle_http_client.KaggleHttpClient
    make_session = client_class._init_session

    def make_bounded(client: Any) -> None:
        is_new = client._session is None
        make_session(client)
        if is_new:
            mount(client._session, patience)

    client_class._init_session = make_bounded
    try:
        yield
    finally:
        client_class._init_session = make_session
