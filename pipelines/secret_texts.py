"""Texts without the secrets that a person has on this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipelines.kaggle.credentials import hide_secrets

NAMES = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|(^|_|API)KEY(_|$)", re.IGNORECASE)
SHORTEST = 6  # characters; shorter ones would hide words
IN_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s'\"@]*:[^/\s'\"]*@", re.IGNORECASE)
STARS = "***"


def redacted(text: str) -> str:
    """The text without passwords of addresses, and without keys and tokens of the environment."""
    text = IN_ADDRESS.sub(rf"\1{STARS}@", hide_secrets(text))
    for secret in sorted(filter(_is_secret, _named_values()), key=len, reverse=True):
        text = text.replace(secret, STARS)
    return text


def _named_values() -> set[str]:
    """Values of the environment whose names are those of secrets."""
    return {value for name, value in os.environ.items() if NAMES.search(name)}


def _is_secret(value: str) -> bool:
    """Whether the value can be a secret: not a word, and not the place of a file that holds one."""
    return len(value) >= SHORTEST and not (value.startswith(("/", "~")) and Path(value).exists())
