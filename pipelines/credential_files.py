"""Where Kaggle's credentials lie on this machine, and what these places hold."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOKEN_VARIABLES = ("KAGGLE_API_TOKEN", "KAGGLE_API_V1_TOKEN")  # a token, or a file that holds one


def token_files() -> list[Path]:
    """Files with an access token."""
    home = Path("~/.kaggle").expanduser()
    return [home / name for name in ("access_token", "access_token.txt")]


def key_file() -> Path:
    """The file with user name and key."""
    return _config_folder() / "kaggle.json"


def sign_in_file() -> Path:
    """What `kaggle auth login` writes."""
    return Path("~/.kaggle/credentials.json").expanduser()


def text_of(path: Path) -> str:
    """The file's text; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):  # a token can be no file's name at all
        return ""


def json_of(path: Path) -> dict[str, Any]:
    """The file's JSON object; empty where there is none."""
    try:
        value = json.loads(text_of(path) or "{}")
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def kaggle_user() -> str:
    """The user name; empty where there is none."""
    return os.environ.get("KAGGLE_USERNAME") or str(json_of(key_file()).get("username") or "")


def kaggle_secrets() -> Iterator[str]:
    """Keys and tokens in the environment and in files; empty texts for those that are not there."""
    for name in ("KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        yield os.environ.get(name, "")
    named = (Path(os.environ.get(name, "")) for name in TOKEN_VARIABLES)
    yield from (text_of(path) for path in (*named, *token_files()))
    yield str(json_of(key_file()).get("key") or "")
    for name in ("refresh_token", "access_token"):
        yield str(json_of(sign_in_file()).get(name) or "")


def _config_folder() -> Path:
    if configured := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(configured)
    home = Path("~/.kaggle").expanduser()
    if home.exists() or not sys.platform.startswith("linux"):
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "kaggle"
