"""A real PostgreSQL server, where Debian's package is installed."""

import importlib.util
import sys
from pathlib import Path

import pytest


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


postgres_server = _load("postgres")


@pytest.fixture(scope="session")
def postgres():
    if reason := postgres_server.missing():
        pytest.skip(reason)
    server = postgres_server.Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()
