"""Finds the credentials that the kaggle package would use, in the environment and in files."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SIGNATURE = re.compile(r"(https?://[^\s?]+)\?\S+")  # what follows the ? is signed
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


def hide_secrets(text: str) -> str:
    """The text without any of the person's credentials, and without signatures of URLs."""
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, "***")
    return SIGNATURE.sub(r"\1?***", text)


def _where_token() -> str | None:
    in_notebook = {"KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_DATA_PROXY_URL"} <= set(os.environ)
    if in_notebook and _text(Path(os.environ.get("KAGGLE_API_V1_TOKEN", ""))):
        return "the notebook's token"
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    if token and (not _exists(token) or _text(Path(token))):
        return "the environment variable KAGGLE_API_TOKEN"
    return next((str(path) for path in _token_files() if _text(path)), None)


def _token_files() -> list[Path]:
    home = Path("~/.kaggle").expanduser()
    return [home / name for name in ("access_token", "access_token.txt")]


def _where_key() -> str | None:
    """User name and key; each comes from the environment or else from kaggle.json."""
    path = _config_folder() / "kaggle.json"
    stored = _json_object(path)
    environment = {
        name: os.environ.get(f"KAGGLE_{name.upper()}", "") for name in ("username", "key")
    }
    if all(environment.values()):
        return "the environment variables KAGGLE_USERNAME and KAGGLE_KEY"
    if all(environment[name] or stored.get(name) for name in environment):
        return str(path)
    return None


def _where_oauth() -> str | None:
    path = _oauth_file()
    return str(path) if _json_object(path).get("refresh_token") else None


def _oauth_file() -> Path:
    return Path("~/.kaggle/credentials.json").expanduser()


def _config_folder() -> Path:
    if configured := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(configured)
    home = Path("~/.kaggle").expanduser()
    if home.exists() or not sys.platform.startswith("linux"):
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "kaggle"


def _secrets() -> set[str]:
    """Every text that must never be shown, plain and as a header would contain it."""
    found = {text for text in _stored_secrets() if len(text) > 3}
    stored = _json_object(_config_folder() / "kaggle.json")
    user = os.environ.get("KAGGLE_USERNAME") or str(stored.get("username") or "")
    return found | {base64.b64encode(f"{user}:{key}".encode()).decode() for key in found if user}


def _stored_secrets() -> Iterator[str]:
    for name in ("KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        yield os.environ.get(name, "")
    files = [os.environ.get(name, "") for name in ("KAGGLE_API_TOKEN", "KAGGLE_API_V1_TOKEN")]
    yield from (_text(path) for path in (*map(Path, files), *_token_files()))
    yield str(_json_object(_config_folder() / "kaggle.json").get("key") or "")
    for name in ("refresh_token", "access_token"):
        yield str(_json_object(_oauth_file()).get(name) or "")


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # a token can be too long for a file name
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path) or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
