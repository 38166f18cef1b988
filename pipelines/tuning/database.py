"""Studies in a database: opened by many at once, and waited for while it is away."""

from __future__ import annotations

import functools
import random
import time
import warnings
from collections.abc import Callable
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from pipelines.secret_texts import redacted, remember, without_password
from pipelines.tuning.patience import Patience, full, is_busy, is_full, reason_of
from pipelines.tuning.storage import Say, StorageError

HEARTBEAT_S, GRACE_S = 15, 60  # a trial without a heartbeat for so long is freed
OPEN_TIMEOUT_S = 60.0  # for a database that is locked, starting, or being set up by another
CONNECT_TIMEOUT_S = 10
EXAMPLE = (
    "type for example --storage sqlite:///studies.db, or leave --storage out for a journal file"
)
PACKAGES = {  # by the module that is missing, where the package has another name
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "_mysql": "mysqlclient",
}
CONNECT_TIMEOUT = ("psycopg", "psycopg2", "pymysql", "mysqldb")  # drivers that know the option
CALLS = (
    *("create_new_study", "get_all_studies", "get_study_id_from_name", "get_study_name_from_id"),
    *("get_study_directions", "get_study_user_attrs", "get_study_system_attrs"),
    *("set_study_user_attr", "set_study_system_attr"),
    *("create_new_trial", "_create_new_trial", "get_trial", "get_all_trials", "_get_trials"),
    *("get_trial_id_from_study_id_trial_number", "set_trial_param", "_set_trial_param"),
    *("set_trial_state_values", "set_trial_intermediate_value"),
    *("set_trial_user_attr", "set_trial_system_attr"),
    *("record_heartbeat", "_get_stale_trial_ids"),
)


class Database(RDBStorage):
    """Optuna's storage; each of its calls waits while the database is away.

    Attributes:
        patience: What waits.
    """

    def __init__(self, url: URL, patience: Patience) -> None:
        self.patience = patience
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of the heartbeat
            super().__init__(
                url.render_as_string(hide_password=False),
                engine_kwargs={"pool_pre_ping": True, "connect_args": _connect_args(url)},
                heartbeat_interval=HEARTBEAT_S,
                grace_period=GRACE_S,
            )


def _patient(name: str) -> Callable[..., Any]:
    """The call of that name, made again while the database is away."""
    call = getattr(RDBStorage, name)

    @functools.wraps(call)
    def wait(self: Database, *arguments: Any, **named: Any) -> Any:
        return self.patience.call(lambda: call(self, *arguments, **named))

    return wait


for _name in CALLS:
    setattr(Database, _name, _patient(_name))


def open_database(address: str, say: Say | None = None) -> Database:
    """The database at that address, with Optuna's tables, which a new one is given.

    Raises:
        StorageError: It cannot be opened.
        StorageFullError: There is no room on its disk.
    """
    remember(address)
    url = _parsed(address)
    patience = Patience(_shown(url), say)
    end = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            return Database(url, patience)
        except NoSuchModuleError as error:
            raise _unknown(url) from error
        except ImportError as error:
            raise _no_driver(url, error) from error
        except (SQLAlchemyError, AssertionError, RuntimeError) as error:
            if not _may_pass(error) or time.monotonic() > end:
                raise _refused(url, error) from error
        time.sleep(random.uniform(0.1, 0.5))


def _may_pass(error: Exception) -> bool:
    """Whether opening again may work: it is locked, or others set it up at this moment.

    Optuna creates its tables and notes its version in steps, and does not expect company.
    """
    text = str(error).lower()
    is_half_made = isinstance(error, AssertionError | IntegrityError)
    return is_half_made or is_busy(error) or "already exists" in text or "duplicate" in text


def _parsed(address: str) -> URL:
    try:
        return make_url(address)
    except (ArgumentError, ValueError) as error:
        hint = f"did you mean sqlite:///{address}? " if "://" not in address else ""
        raise StorageError(
            f"the storage {without_password(address)} cannot be opened: it is no address of a "
            f"database; {hint}{EXAMPLE}"
        ) from error


def _shown(url: URL) -> str:
    """The address without user, password and options."""
    return without_password(url.render_as_string(hide_password=False))


def _connect_args(url: URL) -> dict[str, Any]:
    """How long to wait for a lock or for a host that does not answer."""
    driver = url.get_driver_name()
    if url.get_backend_name() == "sqlite":
        return {"timeout": CONNECT_TIMEOUT_S}
    knows = driver in CONNECT_TIMEOUT and "connect_timeout" not in url.query
    return {"connect_timeout": CONNECT_TIMEOUT_S} if knows else {}


def _unknown(url: URL) -> StorageError:
    return StorageError(
        f"the storage {_shown(url)} cannot be opened: no database {url.drivername!r} is "
        f"known; known: sqlite, postgresql, mysql; {EXAMPLE}"
    )


def _no_driver(url: URL, error: ImportError) -> StorageError:
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    module = (cause.name or url.get_driver_name()).partition(".")[0]
    return StorageError(
        f"the storage {_shown(url)} cannot be opened: its driver {module} is not "
        f"installed; type: pip install '{PACKAGES.get(module, module)}'"
    )


def _refused(url: URL, error: Exception) -> StorageError:
    if isinstance(error, RuntimeError):
        return _of_another_version(url, error)
    if is_full(error):
        return full(_shown(url), redacted(reason_of(error)))
    return StorageError(
        f"the storage {_shown(url)} cannot be opened: {redacted(reason_of(error))}; {EXAMPLE}"
    )


def _of_another_version(url: URL, error: RuntimeError) -> StorageError:
    """Optuna says how old its tables are; what to do depends on which of the two is newer."""
    name = _shown(url)
    if "storage upgrade" not in str(error):
        what = "a newer Optuna made it; type: pip install --upgrade optuna"
    else:
        what = (
            "an older Optuna made it; copy it first, then type: optuna storage upgrade --storage "
            f"{name.replace('***@', 'USER:PASSWORD@')}"
        )
    return StorageError(
        f"the storage {name} cannot be opened: {what}; or choose another one, for example "
        "--storage sqlite:///studies-new.db"
    )
