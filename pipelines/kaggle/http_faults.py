"""Classifies errors of the requests library, and describes them in a few words.

Never with the URL: a storage's URL is signed.
"""

from __future__ import annotations

import requests

WORDS_CHARACTERS = 200
# What `requests` raises when a body ends early or cannot be decoded.
BROKEN_BODY = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
PASSING_STATUS = (429, 500, 502, 503, 504)


def status(error: requests.RequestException) -> int | None:
    """The status of the answer; one of status 200 can contain another in its JSON."""
    response = error.response
    if response is None:
        return None
    code = _fields(response).get("code") if response.status_code < 400 else None
    return int(code) if isinstance(code, int) else response.status_code


def words(error: requests.RequestException) -> str:
    """The server's message on one line, if its answer is JSON that has one."""
    fields = {} if error.response is None else _fields(error.response)
    return " ".join(str(fields.get("message") or "").split())[:WORDS_CHARACTERS]


def is_silence(error: requests.RequestException) -> bool:
    """Whether the server timed out; within a body that is a ConnectionError, not a Timeout."""
    return isinstance(error, requests.Timeout) or "Read timed out" in str(error)


def is_passing(error: requests.RequestException) -> bool:
    """Whether the same request may well succeed a little later."""
    if (code := status(error)) is not None:
        return code in PASSING_STATUS
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(error, (*BROKEN_BODY, requests.ConnectionError, requests.Timeout))


def is_undelivered(error: requests.RequestException) -> bool:
    """Whether the server certainly did nothing: it refused, or there was no connection.

    A gateway that gave up waiting (504) does not know what the server behind it did.
    """
    unmade = ("refused", "NameResolution", "Name or service", "NewConnection")
    return (
        status(error) not in (None, 504)
        or isinstance(error, requests.ConnectTimeout)
        or (isinstance(error, requests.ConnectionError) and any(w in str(error) for w in unmade))
    )


def cause(error: requests.RequestException) -> str:
    """Why it failed, in a few words that can follow a colon."""
    text = str(error)
    if (code := status(error)) is not None:
        return f"answered {code}"
    if is_silence(error):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy failed"
    if "NameResolution" in text or "Name or service" in text:
        return "its name could not be resolved"
    if "refused" in text:
        return "connection refused"
    return "the connection broke"


def _fields(response: requests.Response) -> dict[str, object]:
    """The answer's JSON object; empty if it is not one or cannot be read."""
    if "json" not in response.headers.get("Content-Type", ""):
        return {}
    try:
        body = response.json()
    except (requests.RequestException, ValueError, RuntimeError):
        return {}
    return body if isinstance(body, dict) else {}
