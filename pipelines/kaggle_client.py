"""Talks to Kaggle through its official package; the only file that imports it.

That package is imported inside functions: the import makes a folder and, where a token is set, a
network call. No message here repeats what a request or an answer's address held, since both can
carry secrets.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import requests
from requests.adapters import HTTPAdapter

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
CHUNK_BYTES = 1 << 20
REASON_CHARACTERS = 200
WAY_OUT = "without Kaggle, use --source sample or --source PATH"
NEW_TOKEN = "make a new token at https://www.kaggle.com/settings/api"
NO_CREDENTIALS = (
    "no Kaggle credentials found: sign in with `kaggle auth login`, or save a token from "
    f"https://www.kaggle.com/settings/api in ~/.kaggle/access_token\n{WAY_OUT}"
)

Progress = Callable[[int, int], None]


class KaggleError(RuntimeError):
    """Kaggle refused, could not be reached, or was not asked for want of credentials."""

    exit_code = 4


def has_credentials() -> bool:
    """Whether there is anything to sign in with; looks at the environment and files only."""
    return where_credentials() is not None


def where_credentials() -> str | None:
    """Name the place that the kaggle package would take credentials from, or None.

    Source: `KaggleApi.authenticate` of kaggle 2.2 and `kagglesdk.kaggle_env`; same order.
    """
    return _where_token() or _where_key() or _where_oauth()


def _where_token() -> str | None:
    in_notebook = {"KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_DATA_PROXY_URL"} <= set(os.environ)
    if in_notebook and _text(Path(os.environ.get("KAGGLE_API_V1_TOKEN", ""))):
        return "the notebook's token"
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    if token and (not _exists(token) or _text(Path(token))):
        return "the environment variable KAGGLE_API_TOKEN"
    home = Path("~/.kaggle").expanduser()
    files = (home / name for name in ("access_token", "access_token.txt"))
    return next((str(path) for path in files if _text(path)), None)


def _where_key() -> str | None:
    """User name and key; each may come from kaggle.json or, going before it, the environment."""
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
    path = Path("~/.kaggle/credentials.json").expanduser()
    return str(path) if _json_object(path).get("refresh_token") else None


def _config_folder() -> Path:
    if configured := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(configured)
    home = Path("~/.kaggle").expanduser()
    if home.exists() or not sys.platform.startswith("linux"):
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "kaggle"


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


def download_competition(slug: str, into: Path, *, progress: Progress | None = None) -> Path:
    """Fetch a competition's archive.

    Args:
        slug: as in `https://www.kaggle.com/competitions/SLUG`.
        into: an existing folder; it gets `SLUG.zip`, or on any error nothing.
        progress: called with the bytes so far and their total, where Kaggle tells it.

    Raises:
        KaggleError: no credentials, refused, not found, not reached, or cut off.
        OSError: the folder cannot be written.
    """
    with _told(slug, "competition"), _client() as client:
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = slug
        response = client.competitions.competition_api_client.download_data_files(request)
        return _save(response, into / f"{slug}.zip", progress)


def download_dataset(slug: str, into: Path, *, progress: Progress | None = None) -> Path:
    """Fetch a data set's archive; `slug` is OWNER/NAME, and the file becomes `NAME.zip`.

    Raises:
        KaggleError: as `download_competition`.
        OSError: the folder cannot be written.
    """
    owner, name = slug.split("/")
    with _told(slug, "dataset"), _client() as client:
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = owner, name
        response = client.datasets.dataset_api_client.download_dataset(request)
        return _save(response, into / f"{name}.zip", progress)


@contextmanager
def _client() -> Iterator[Any]:
    """A signed-in client of Kaggle's API."""
    if not has_credentials():
        raise KaggleError(NO_CREDENTIALS)
    _bound_waiting()
    # The package prints help and warnings on standard output, which belongs to our own results.
    with redirect_stdout(io.StringIO()):
        api = _import_api()()
        try:
            api.authenticate()
        except SystemExit:
            raise KaggleError(
                f"Kaggle refused the credentials in {where_credentials()}; {NEW_TOKEN}; {WAY_OUT}"
            ) from None
        with api.build_kaggle_client() as client:
            yield client


def _import_api() -> Any:
    """The package's class; with VERBOSE set it would print each request, credentials included."""
    verbose = {name: os.environ.pop(name, None) for name in ("VERBOSE", "VERBOSE_OUTPUT")}
    try:
        from kaggle.api.kaggle_api_extended import KaggleApi
    except ImportError as error:
        raise KaggleError(
            f"the kaggle package cannot be imported ({error}); "
            "type: pip install 'kaggle>=2.2,<3' six"
        ) from error
    except OSError as error:
        raise KaggleError(
            f"the kaggle package cannot make its folder {error.filename} ({error.strerror}); "
            "set KAGGLE_CONFIG_DIR to a folder that can be written"
        ) from error
    finally:
        os.environ.update({name: text for name, text in verbose.items() if text is not None})
    return KaggleApi


class _BoundedAdapter(HTTPAdapter):
    """Waits a bounded time where the caller named none."""

    def send(self, request: Any, *arguments: Any, **settings: Any) -> requests.Response:
        if settings.get("timeout") is None:
            settings["timeout"] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        return super().send(request, *arguments, **settings)


def _bound_waiting() -> None:
    """Give every session of the client our adapter; the package itself waits for ever.

    Done on the class, before the package is imported, because the import signs in already.
    """
    from kagglesdk import kaggle_http_client

    client_class: Any = kaggle_http_client.KaggleHttpClient
    make_session = client_class._init_session
    if getattr(make_session, "is_bounded", False):
        return

    def bounded(client: Any) -> None:
        make_session(client)
        session: requests.Session = client._session
        if not isinstance(session.get_adapter("https://"), _BoundedAdapter):
            session.mount("https://", _BoundedAdapter())
            session.mount("http://", _BoundedAdapter())

    vars(bounded)["is_bounded"] = True
    client_class._init_session = bounded


def _save(response: requests.Response, path: Path, progress: Progress | None) -> Path:
    """Stream the body to a temporary name, and rename it when every announced byte is there.

    A body shorter than announced raises in `iter_content`.
    """
    announced = response.headers.get("Content-Length")
    total = int(announced) if announced else None
    partial = path.with_name(f".{path.name}.partial")
    done = 0
    try:
        with response, partial.open("wb") as target:
            for chunk in response.iter_content(CHUNK_BYTES):
                target.write(chunk)
                done += len(chunk)
                if progress is not None and total is not None:
                    progress(done, total)
            target.flush()
            os.fsync(target.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


@contextmanager
def _told(slug: str, kind: str) -> Iterator[None]:
    """Turn what the requests library raises into one line for a person.

    The cause is left out on purpose: its text holds the address, and a storage address is signed.
    """
    try:
        yield
    except requests.HTTPError as error:
        _tell_status(error, slug, kind)
    except requests.Timeout:
        raise KaggleError(_told_silence(slug)) from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise KaggleError(
            f"the connection broke before {slug} was whole; nothing was kept: "
            f"run the same command again, or {WAY_OUT}"
        ) from None
    except requests.ConnectionError as error:
        # A read that times out inside the body comes as this, not as a Timeout.
        if "Read timed out" in str(error):
            raise KaggleError(_told_silence(slug)) from None
        raise KaggleError(
            f"Kaggle could not be reached for {slug} ({_connection_reason(error)}); "
            f"look at the network or the proxy settings, or {WAY_OUT}"
        ) from None
    except requests.RequestException as error:
        raise KaggleError(
            f"Kaggle could not be asked for {slug} ({type(error).__name__}); {WAY_OUT}"
        ) from None


def _told_silence(slug: str) -> str:
    return (
        f"Kaggle did not answer in time while {slug} was fetched (waited {READ_TIMEOUT_S:g} s); "
        f"run the same command again, or {WAY_OUT}"
    )


def _tell_status(error: requests.HTTPError, slug: str, kind: str) -> NoReturn:
    status, reason = _status(error)
    page = f"https://www.kaggle.com/{kind}s/{slug}"
    # A redirected answer is the storage's, whose refusals say nothing about the account.
    from_storage = error.response is not None and bool(error.response.history)
    known = {
        401: f"Kaggle refused the credentials in {where_credentials()} (401); {NEW_TOKEN}",
        403: f"Kaggle refused {slug} (403): its rules are not accepted yet; open {page}/rules, "
        "accept them and run the same command again"
        if kind == "competition"
        else f"Kaggle refused {slug} (403): the data set is private or its terms are not accepted; "
        f"open {page}",
        404: f"Kaggle has no {kind} {slug!r} (404); look at {page}",
        429: "Kaggle was asked too often (429); wait some minutes and run the same command again",
    }
    other = f"Kaggle answered {status} for {slug}{reason}; run the same command again later"
    message = other if from_storage else known.get(status, other)
    raise KaggleError(f"{message}; {WAY_OUT}") from None


def _status(error: requests.HTTPError) -> tuple[int, str]:
    """Status and Kaggle's own words; an answer of status 200 can hold an error code as JSON."""
    response = error.response
    if response is None:
        return 0, ""
    try:
        body = response.json()
    except (requests.RequestException, ValueError):
        return response.status_code, ""
    fields = body if isinstance(body, dict) else {}
    code = fields.get("code") if response.status_code < 400 else response.status_code
    words = " ".join(str(fields.get("message") or "").split())[:REASON_CHARACTERS]
    return int(code or response.status_code), f": {words}" if words else ""


def _connection_reason(error: requests.ConnectionError) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy failed"
    text = str(error)
    if "NameResolution" in text or "Name or service" in text:
        return "its name could not be resolved"
    return "connection refused" if "refused" in text else "the connection failed"
