"""Texts without the secrets that a person has on this machine: the one place that knows them.

Secrets are Kaggle's credentials, values of the environment whose names say so, and the passwords
of addresses: those in the environment, and those that a person typed (`remember`).
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from pipelines.credential_files import kaggle_secrets, kaggle_user

NAMES = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|(^|_|API)KEY(_|$)", re.IGNORECASE)
OPTIONS = r"(?:pass|pwd|secret|token|key|sig|auth|cred)"  # of an address
SHORTEST = 6  # characters of a value of the environment; shorter ones would hide words
SHORTEST_PASSWORD = 3  # characters of a password in an address
LONG = 12  # characters; shorter secrets, which may be words, are hidden as whole words only
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
IN_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s'\"@]*:[^/\s'\"]*@", re.IGNORECASE)
OPTION = re.compile(rf"([?&][^=&\s]*{OPTIONS}[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)
SIGNATURE = re.compile(r"(https?://[^\s?]+)\?\S+")  # what follows the ? is signed
STARS = "***"

_typed: set[str] = set()  # passwords of addresses that were typed


def redacted(text: str, *addresses: str) -> str:
    """The text without any secret, and without signatures of URLs.

    Args:
        text: What a person will see or a file will hold.
        addresses: Their passwords are secrets too.
    """
    text = IN_ADDRESS.sub(rf"\1{STARS}@", text)
    secrets = {*_known(), *_typed, *(p for one in addresses for p in _passwords(one))}
    for secret in sorted(secrets, key=len, reverse=True):
        text = _without(text, secret)
    return SIGNATURE.sub(rf"\1?{STARS}", OPTION.sub(rf"\1{STARS}", text))


def remember(address: str) -> None:
    """Hide the passwords of an address that was typed, from now on."""
    _typed.update(_passwords(address))


def without_password(address: str) -> str:
    """An address without user, password and options."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address.partition("?")[0]
    place = rest.rpartition("@")[2] if "@" in rest.partition("?")[2] else rest.partition("?")[0]
    if "@" not in rest or rest.startswith("/"):
        return f"{scheme}://{place.partition('?')[0]}"
    return f"{scheme}://{STARS}@{place.rpartition('@')[2].partition('?')[0]}"


def _without(text: str, secret: str) -> str:
    if len(secret) >= LONG:
        return text.replace(secret, STARS)
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", STARS, text)


def _known() -> Iterator[str]:
    """Secrets of this machine, in every way in which a text may write them."""
    stored = {secret for secret in kaggle_secrets() if len(secret) > SHORTEST_PASSWORD}
    user = kaggle_user()
    headers = {base64.b64encode(f"{user}:{key}".encode()).decode() for key in stored if user}
    named = {value for name, value in os.environ.items() if NAMES.search(name)}
    for secret in stored | headers | set(filter(_is_secret, named)):
        yield from _spellings(secret)
    for value in os.environ.values():
        for address in ADDRESS.findall(value) if "://" in value else ():
            yield from _passwords(address)


def _is_secret(value: str) -> bool:
    """Whether the value can be a secret: not a word, and not the place of a file that holds one."""
    return len(value) >= SHORTEST and not (value.startswith(("/", "~")) and Path(value).exists())


def _passwords(address: str) -> Iterator[str]:
    """The password of an address and of its options, as they are written and as they are meant."""
    rest = address.partition("://")[2]
    head, _, query = rest.partition("?")
    # One that is not written %40 or %3F may hold an @ or a ? of its own.
    users = {part.rpartition("@")[0] for part in (head, rest)}
    found = {user.partition(":")[2] for user in users}
    found |= {value for name, value in parse_qsl(query) if re.search(OPTIONS, name, re.IGNORECASE)}
    for password in found:
        if len(password) >= SHORTEST_PASSWORD:
            yield from _spellings(password)


def _spellings(secret: str) -> set[str]:
    return {
        *(secret, unquote(secret), quote(secret, safe="")),
        *(json.dumps(secret)[1:-1], repr(secret)[1:-1]),
    }
