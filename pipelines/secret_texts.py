"""Texts without the secrets that a person has on this machine."""

from __future__ import annotations

import os
import re

from pipelines.kaggle.credentials import hide_secrets

NAMES = re.compile(r"TOKEN|KEY|SECRET|PASSWORD|PASSWD", re.IGNORECASE)
SHORTEST = 6  # characters; shorter ones would hide words
IN_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s'\"@]*:[^/\s'\"]*@", re.IGNORECASE)
STARS = "***"


def redacted(text: str) -> str:
    """The text without passwords of addresses, and without keys and tokens of the environment."""
    text = IN_ADDRESS.sub(rf"\1{STARS}@", hide_secrets(text))
    named = {value for name, value in os.environ.items() if NAMES.search(name)}
    for secret in sorted((one for one in named if len(one) >= SHORTEST), key=len, reverse=True):
        text = text.replace(secret, STARS)
    return text
