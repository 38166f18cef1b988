"""Finds the credentials that the kaggle package would use, in the environment and in files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipelines.credential_files import json_of, key_file, sign_in_file, text_of, token_files

OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


def has_credentials() -> bool:
    """Whether there is anything to sign in with."""
    return where_credentials() is not None


def where_credentials() -> str | None:
    """Where the kaggle package would take credentials from, or None.

    Source: `KaggleApi.authenticate` of kaggle 2.2 and `kagglesdk.kaggle_env`; same order.
    """
    return _where_token() or _where_key() or _where_oauth()


def exposure() -> str | None:
    """A warning if other users of this machine can read the file in use, else None."""
    where = where_credentials()
    if where is None:
        return None
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    path = Path(token if "KAGGLE_API_TOKEN" in where and _exists(token) else where)
    if not path.is_file() or not path.stat().st_mode & OTHERS_READ:
        return None
    return f"other users of this machine can read {path}; type: chmod 600 {path}"


def _where_token() -> str | None:
    in_notebook = {"KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_DATA_PROXY_URL"} <= set(os.environ)
    if in_notebook and text_of(Path(os.environ.get("KAGGLE_API_V1_TOKEN", ""))):
        return "the notebook's token"
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    if token and (not _exists(token) or text_of(Path(token))):
        return "the environment variable KAGGLE_API_TOKEN"
    return next((str(path) for path in token_files() if text_of(path)), None)


def _where_key() -> str | None:
    """User name and key; each comes from the environment or else from kaggle.json."""
    path = key_file()
    stored = json_of(path)
    environment = {
        name: os.environ.get(f"KAGGLE_{name.upper()}", "") for name in ("username", "key")
    }
    if all(environment.values()):
        return "the environment variables KAGGLE_USERNAME and KAGGLE_KEY"
    if all(environment[name] or stored.get(name) for name in environment):
        return str(path)
    return None


def _where_oauth() -> str | None:
    path = sign_in_file()
    return str(path) if json_of(path).get("refresh_token") else None


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a token can be too long for a file name
        return False
