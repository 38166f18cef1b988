"""One line for a person on why Kaggle refused or could not be reached.

An error's cause is left out on purpose: its text contains the URL, and a storage's URL is signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import requests

from pipelines.kaggle.credentials import where_credentials
from pipelines.kaggle.http_faults import BROKEN_BODY, cause, is_silence, status, words
from pipelines.kaggle.retry import Patience, requested_wait_s
from pipelines.secret_texts import redacted

ALTERNATIVE = "without Kaggle, use --source sample or --source PATH"
NEW_TOKEN = "make a new token at https://www.kaggle.com/settings/api"
NO_CREDENTIALS = (
    "no Kaggle credentials found: sign in with `kaggle auth login`, or save a token from "
    "https://www.kaggle.com/settings/api in ~/.kaggle/access_token"
)
AGAIN = "run the same command again"


class KaggleError(RuntimeError):
    """Kaggle refused or could not be reached, or there are no credentials."""

    exit_code = 4


class NotTakenError(KaggleError):
    """Kaggle took the request, and did nothing of it."""


@dataclass(frozen=True)
class Subject:
    """The competition, data set or notebook that a call is about, and what a failure of it means.

    Attributes:
        slug: As in the page's address; OWNER/NAME for a data set or a notebook.
        kind: Which of them it is.
        left: What holds after a failure, such as "nothing was sent"; may be empty.
        alternative: What the person can do without Kaggle; may be empty.
    """

    slug: str
    kind: Literal["competition", "dataset", "notebook"] = "competition"
    left: str = ""
    alternative: str = ""

    @property
    def page(self) -> str:
        """The address of its page."""
        place = "code" if self.kind == "notebook" else f"{self.kind}s"
        return f"https://www.kaggle.com/{place}/{self.slug}"

    def failed(self, what: str, *next_steps: str) -> KaggleError:
        """The error for a failed call: what happened, what holds now, and what to do next."""
        parts = (what, self.left, *next_steps, self.alternative)
        return KaggleError(redacted("; ".join(part for part in parts if part)))

    def unsigned(self) -> KaggleError:
        """The error where there are no credentials: how to sign in, and the alternative."""
        parts = (NO_CREDENTIALS, self.left, self.alternative)
        return KaggleError("; ".join(part for part in parts if part))


@contextmanager
def as_kaggle_error(subject: Subject, patience: Patience) -> Iterator[None]:
    """Turn exceptions of the requests library within into a `KaggleError`."""
    try:
        yield
    except requests.RequestException as error:
        if status(error) is not None:
            raise _refused(error, subject, patience) from None
        raise _unreached(error, subject, patience) from None


def _unreached(
    error: requests.RequestException, subject: Subject, patience: Patience
) -> KaggleError:
    slug, tries = subject.slug, f"{patience.tries} tries"
    if is_silence(error):
        wait = f"{patience.read_timeout_s:g} s in each of {tries}"
        return subject.failed(f"Kaggle did not answer in time for {slug} (waited {wait})", AGAIN)
    if isinstance(error, BROKEN_BODY):
        return subject.failed(f"the connection broke before {slug} was whole ({tries})", AGAIN)
    return subject.failed(
        f"Kaggle could not be reached for {slug} ({cause(error)}; {tries})",
        "look at the network or the proxy settings",
    )


def _refused(error: requests.RequestException, subject: Subject, patience: Patience) -> KaggleError:
    code, reason = status(error), words(error)
    assert code is not None, "a refusal has a status"
    reason = f": {reason}" if reason else ""
    if code == 429:
        return subject.failed(*_rate_limited(error))
    if code >= 500:
        tries = f"{patience.tries} tries"
        return subject.failed(f"Kaggle answered {code} for {subject.slug} ({tries}){reason}", AGAIN)
    if _is_from_storage(error):
        return subject.failed(f"Kaggle's storage answered {code} for {subject.slug}", AGAIN)
    if code == 401:
        return subject.failed(credentials_refused(), NEW_TOKEN)
    if code == 403:
        return subject.failed(*_forbidden(subject, reason))
    if code == 404:
        return subject.failed(
            f"Kaggle has no {subject.kind} {subject.slug!r} (404)", f"look at {subject.page}"
        )
    return subject.failed(
        f"Kaggle refused {subject.slug} ({code}){reason}", f"look at {subject.page}"
    )


def credentials_refused() -> str:
    """Which credentials Kaggle refused."""
    return f"Kaggle refused the credentials in {where_credentials()} (401)"


def _rate_limited(error: requests.RequestException) -> tuple[str, str]:
    wait_s = requested_wait_s(error)
    wait = "some minutes" if wait_s is None else f"{wait_s:g} s"
    return "too many requests to Kaggle (429)", f"wait {wait}, then {AGAIN}"


def _forbidden(subject: Subject, words: str) -> tuple[str, str]:
    if subject.kind == "competition":
        what = f"Kaggle refused {subject.slug} (403){words}: are its rules accepted?"
        return what, f"open {subject.page}/rules, accept them and {AGAIN}"
    if subject.kind == "notebook":
        what = f"Kaggle refused {subject.slug} (403){words}: is the account's phone verified?"
        return what, f"open https://www.kaggle.com/settings, and {AGAIN}"
    what = (
        f"Kaggle refused {subject.slug} (403){words}: it is private or its terms are not accepted"
    )
    return what, f"open {subject.page}"


def _is_from_storage(error: requests.RequestException) -> bool:
    """Kaggle gets POST requests only; the storage's refusals do not concern the account."""
    request = None if error.response is None else error.response.request
    return request is not None and request.method != "POST"
