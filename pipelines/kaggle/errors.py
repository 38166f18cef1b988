"""Tells a person, on one line, why Kaggle refused or could not be reached.

The cause of an error is left out on purpose: its text holds the address, and a storage's address
is signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import requests

from pipelines.kaggle.credentials import hide_secrets, where_credentials
from pipelines.kaggle.http_faults import BROKEN_BODY, cause, is_silence, status, words
from pipelines.kaggle.retry import Patience, asked_wait_s

WAY_OUT = "without Kaggle, use --source sample or --source PATH"
NEW_TOKEN = "make a new token at https://www.kaggle.com/settings/api"
NO_CREDENTIALS = (
    "no Kaggle credentials found: sign in with `kaggle auth login`, or save a token from "
    "https://www.kaggle.com/settings/api in ~/.kaggle/access_token"
)
AGAIN = "run the same command again"


class KaggleError(RuntimeError):
    """Kaggle refused, could not be reached, or was not asked for want of credentials."""

    exit_code = 4


@dataclass(frozen=True)
class Errand:
    """What Kaggle is asked for, and what its refusal would mean.

    Attributes:
        slug: of the competition or data set.
        kind: which of them it is.
        left: what is left of the errand where it fails; may be empty.
        way_out: what the person can do without Kaggle; may be empty.
    """

    slug: str
    kind: Literal["competition", "dataset"] = "competition"
    left: str = ""
    way_out: str = ""

    @property
    def page(self) -> str:
        """Where a person sees to it."""
        return f"https://www.kaggle.com/{self.kind}s/{self.slug}"

    def failed(self, what: str, *next_steps: str) -> KaggleError:
        """The error that says so."""
        parts = (what, self.left, *next_steps, self.way_out)
        return KaggleError(hide_secrets("; ".join(part for part in parts if part)))

    def unsigned(self) -> KaggleError:
        """The error where there is nothing to sign in with: what to do, and what else can be."""
        rest = "; ".join(part for part in (self.left, self.way_out) if part)
        return KaggleError(f"{NO_CREDENTIALS}\n{rest}".strip())


@contextmanager
def told(errand: Errand, patience: Patience) -> Iterator[None]:
    """Turn what the requests library raises within into a `KaggleError`."""
    try:
        yield
    except requests.RequestException as error:
        if status(error) is not None:
            raise _refused(error, errand, patience) from None
        raise _unreached(error, errand, patience) from None


def _unreached(error: requests.RequestException, errand: Errand, patience: Patience) -> KaggleError:
    slug, tries = errand.slug, f"{patience.tries} tries"
    if is_silence(error):
        wait = f"{patience.read_timeout_s:g} s in each of {tries}"
        return errand.failed(f"Kaggle did not answer in time for {slug} (waited {wait})", AGAIN)
    if isinstance(error, BROKEN_BODY):
        return errand.failed(f"the connection broke before {slug} was whole ({tries})", AGAIN)
    return errand.failed(
        f"Kaggle could not be reached for {slug} ({cause(error)}; {tries})",
        "look at the network or the proxy settings",
    )


def _refused(error: requests.RequestException, errand: Errand, patience: Patience) -> KaggleError:
    code, said = status(error), words(error)
    assert code is not None, "a refusal has a status"
    said = f": {said}" if said else ""
    if code == 429:
        return errand.failed(*_asked_too_often(error))
    if code >= 500:
        tries = f"{patience.tries} tries"
        return errand.failed(f"Kaggle answered {code} for {errand.slug} ({tries}){said}", AGAIN)
    if _is_from_storage(error):
        return errand.failed(f"Kaggle's storage answered {code} for {errand.slug}", AGAIN)
    if code == 401:
        return errand.failed(credentials_refused(), NEW_TOKEN)
    if code == 403:
        return errand.failed(*_forbidden(errand, said))
    if code == 404:
        return errand.failed(
            f"Kaggle has no {errand.kind} {errand.slug!r} (404)", f"look at {errand.page}"
        )
    return errand.failed(f"Kaggle refused {errand.slug} ({code}){said}", f"look at {errand.page}")


def credentials_refused() -> str:
    """Which credentials it was that Kaggle did not take."""
    return f"Kaggle refused the credentials in {where_credentials()} (401)"


def _asked_too_often(error: requests.RequestException) -> tuple[str, str]:
    wait_s = asked_wait_s(error)
    wait = "some minutes" if wait_s is None else f"{wait_s:g} s"
    return "Kaggle was asked too often (429)", f"wait {wait}, then {AGAIN}"


def _forbidden(errand: Errand, said: str) -> tuple[str, str]:
    if errand.kind == "competition":
        what = f"Kaggle refused {errand.slug} (403){said}: are its rules accepted?"
        return what, f"open {errand.page}/rules, accept them and {AGAIN}"
    what = f"Kaggle refused {errand.slug} (403){said}: it is private or its terms are not accepted"
    return what, f"open {errand.page}"


def _is_from_storage(error: requests.RequestException) -> bool:
    """Kaggle itself is asked with POST; the storage's refusals say nothing about the account."""
    request = None if error.response is None else error.response.request
    return request is not None and request.method != "POST"
