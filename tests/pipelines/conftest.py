"""The loopback Kaggle, a machine whose kaggle package asks it, and finished runs to send."""

import importlib.util
import os
import shutil
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.commands import app
from pipelines.kaggle.retry import Patience

QUICK = ("--no-track", "--members", "trees", "--folds", "3", "--set", "folds.n_repeats=1", "--set")


def _load(name):
    """A file beside this folder, for its test files to import by that name."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


kaggle_kernels = _load("kaggle_kernels")
kaggle_server = _load("kaggle_server")
kaggle_faults = _load("kaggle_faults")
environments = _load("environments")


@pytest.fixture
def signed_out(tmp_path, monkeypatch):
    """A home without credentials, and a process that speaks with nobody but loopback."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [n for n in os.environ if n.startswith(("KAGGLE", "MLFLOW", "XDG"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    return home


@pytest.fixture
def kaggle(signed_out, monkeypatch):
    """The server; the real kaggle package asks it, with the right name and key."""
    from kagglesdk.kaggle_env import KaggleEnv, _env_to_endpoint

    server = kaggle_server.KaggleServer()
    monkeypatch.setitem(_env_to_endpoint, KaggleEnv.PROD, server.url)
    monkeypatch.setenv("KAGGLE_USERNAME", kaggle_server.USER)
    monkeypatch.setenv("KAGGLE_KEY", kaggle_server.KEY)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pauses():
    """The pauses that were waited, in seconds, without waiting them."""
    return []


@pytest.fixture
def patience(pauses):
    """Tries as often as a person's command does, but does not wait between the tries."""
    return replace(Patience(), read_timeout_s=0.3, connect_timeout_s=2.0, sleep=pauses.append)


@pytest.fixture(scope="session")
def titanic_files(tmp_path_factory):
    """Titanic's three files, as a person would have them from Kaggle."""
    from pipelines.raw_files.samples import titanic

    folder = tmp_path_factory.mktemp("titanic")
    titanic.write(folder)
    (folder / "holdout.csv").unlink()
    return folder


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory, titanic_files):
    """A workspace with two finished runs on Kaggle's files; the older has the better score."""
    workspace = tmp_path_factory.mktemp("two-runs")
    typed = ["run", "titanic", "--source", str(titanic_files), *QUICK]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        assert app.main([*typed, "trees.n_estimators=30"]) == 0
        # A run's id begins with the second in which it was made.
        (run,) = Path("runs/titanic").glob("2*")  # beside the lock
        while datetime.now(UTC) < made_at(run.name) + timedelta(seconds=1):
            time.sleep(0.05)
        assert app.main([*typed, "trees.n_estimators=1"]) == 0
    return workspace


def made_at(run):
    return datetime.strptime(run[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


@pytest.fixture
def workspace(two_runs, tmp_path, monkeypatch):
    """A copy of it to work in."""
    folder = tmp_path / "workspace"
    shutil.copytree(two_runs, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def table():
    """By command and fault; FAULT_TABLE=PATH in the environment writes it there as Markdown."""
    rows = {}
    yield rows
    if path := os.environ.get("FAULT_TABLE"):
        head = "| fault | what the person sees | exit code | what is left on disk |\n"
        Path(path).write_text(head + "|---|---|---|---|\n" + "\n".join(rows.values()) + "\n")


@pytest.fixture
def suffer(kaggle, patience, capsys, table):
    """Brings the fault about, types the command, and checks what the person sees."""

    def suffer(case, typed):
        with kaggle_faults.suffering(case, kaggle):
            code = app.main(list(typed), patience=patience)
        printed = capsys.readouterr()
        assert code == case.code, printed
        seen = printed.err or next(
            line for line in printed.out.splitlines() if case.message in line
        )
        assert case.message in seen, printed
        assert not [
            secret for secret in kaggle_server.SECRETS if secret in printed.out + printed.err
        ]
        n_lines = 1 if code else 0
        assert len(printed.err.splitlines()) == n_lines, printed.err
        message = seen.strip().replace("\n", " ⏎ ").replace("|", "\\|")
        row = f"| {typed[0]}: {case.fault} | `` {message} `` | {code} | {case.left} |"
        table[typed[0], case.fault] = row

    return suffer


CHROMIUM_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A real Chromium without a window, that notes what it fetches and what goes wrong."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*CHROMIUM_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield made
    made.quit()
