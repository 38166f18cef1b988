"""Commands in forks of this process, which has imported everything: a new process each, at once."""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}  # for forks

import contextlib
import gc
import importlib
import io
import pkgutil
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import toy

LIBRARIES = (
    *("mlflow", "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "mlflow.pyfunc"),
    *("optuna", "optuna.samplers", "optuna.pruners", "lightgbm", "torch", "torch.func"),
    *("sklearn.linear_model", "sklearn.ensemble", "sklearn.metrics", "scipy.optimize"),
    *("matplotlib.pyplot", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("pandas", "pyarrow.csv", "pyarrow.parquet", "kaggle.api.kaggle_api_extended", "rich.live"),
)
LONGEST_S = 120.0
MOST_MEMORY = 12 * 2**30  # bytes of addresses
LEAKY = ("KAGGLE", "MLFLOW", "XDG", "FOLDWISE", "DISPLAY", "WAYLAND")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        words: What was typed.
        code: Its exit code; that of the signal, negative, where it was killed.
        out: What it printed.
        err: What it printed to standard error.
        seconds: How long it took.
    """

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def complaints(self) -> list[str]:
        """The lines on standard error that do not belong to a warning."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        return [line for line in lines if not line.startswith("foldwise: warning: ")]


@dataclass
class Command:
    """One command to type, and where.

    Attributes:
        words: What follows `foldwise`.
        folder: The folder to work in.
        before: Called in the command's process first.
        environment: Variables beside this process's.
    """

    words: Sequence[str]
    folder: Path
    before: Callable[[], None] | None = None
    environment: dict[str, str] = field(default_factory=dict)


class Running:
    """A command in its process."""

    def __init__(self, command: Command, log: Path) -> None:
        self.words, self._log = tuple(command.words), log
        log.mkdir(parents=True, exist_ok=True)
        self._start = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = os.fork()
        if self.process == 0:
            _be(command, log)

    def kill(self) -> None:
        """End it at once, wherever it is; one that has ended already is left alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)

    def wait(self, timeout_s: float = LONGEST_S) -> Ended:
        """Wait for its end; one that takes too long is killed."""
        pause_s = 0.002
        while not (found := os.waitpid(self.process, os.WNOHANG))[0]:
            if time.monotonic() - self._start > timeout_s:
                self.kill()
                found = os.waitpid(self.process, 0)
                break
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.05)
        return Ended(
            self.words,
            os.waitstatus_to_exitcode(found[1]),
            (self._log / "out").read_text(errors="replace"),
            (self._log / "err").read_text(errors="replace"),
            time.monotonic() - self._start,
        )

    def has_ended(self, within_s: float) -> bool:
        """Whether it ends within that time; it is not waited for then."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            flags = os.WNOHANG | os.WEXITED | os.WNOWAIT
            if os.waitid(os.P_PID, self.process, flags) is not None:
                return True
            time.sleep(0.001)
        return False


def typed(command: Command, log: Path, timeout_s: float = LONGEST_S) -> Ended:
    """Type the command and wait for its end."""
    return Running(command, log).wait(timeout_s)


def prepare(home: Path) -> None:
    """Import all that commands import, and forget whose computer this is."""
    for name in [name for name in os.environ if name.startswith(LEAKY)]:
        del os.environ[name]
    home.mkdir(parents=True, exist_ok=True)
    os.environ |= {"HOME": str(home), "NO_PROXY": "127.0.0.1", "MPLCONFIGDIR": str(home)}
    from pipelines import process

    process.prepare()
    for package in ("pipelines", "features", "models", "submissions", "foldwise"):
        for module in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        ):
            if not module.name.endswith("__main__") and ".competitions." not in module.name:
                importlib.import_module(module.name)
    for name in LIBRARIES:
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(name)  # kaggle ends with a page of advice without credentials
    _warm(home / "warm")
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy the pages of what it has from here


def _warm(folder: Path) -> None:
    """One run in this process, which loads what is loaded late."""
    from pipelines.commands.app import main

    shutil.rmtree(folder, ignore_errors=True)
    toy.write(folder)
    with contextlib.ExitStack() as held:
        held.enter_context(contextlib.chdir(folder))
        out = held.enter_context(Path("out").open("w"))
        held.enter_context(contextlib.redirect_stdout(out))
        held.enter_context(contextlib.redirect_stderr(out))
        code = main(["run", toy.NAME, "--source", "files", "--no-track"])
    assert code == 0, (folder / "out").read_text()


def _be(command: Command, log: Path) -> None:
    """Become the command; does not return."""
    code = 99
    try:
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(log / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = os.fdopen(0, closefd=False)  # the kaggle package has closed it, here alone
        os.chdir(command.folder)
        os.environ |= command.environment
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        code = _main(command)
    except BaseException:  # noqa: BLE001 - what a person would see
        traceback.print_exc()
        code = 99
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _main(command: Command) -> int:
    from pipelines.commands.app import main

    if command.before is not None:
        command.before()
    try:
        return main(list(command.words))
    except SystemExit as ending:
        return int(ending.code or 0)
