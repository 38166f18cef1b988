"""Settings are read without torch, and build their networks."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest
from torch import nn

from models import architectures
from models.architectures.base import Architecture
from models.data import InputShape

MODULES = [f"models.architectures.{m.name}" for m in pkgutil.iter_modules(architectures.__path__)]
SETTINGS = [
    cls
    for module in map(import_module, MODULES)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if issubclass(cls, Architecture)
    and cls is not Architecture
    and cls.__module__ == module.__name__
]
SHAPE = InputShape(
    n_num=2, cardinalities=(3,), n_bin=1, n_tokens=5, is_spelled=True, image=(1, 28, 28)
)


@pytest.mark.parametrize("module", [*MODULES, "models.training.settings"])
def test_importing_settings_loads_no_torch(module: str) -> None:
    heavy = "{'torch', 'lightgbm', 'sklearn', 'pandas'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_family_is_found() -> None:
    assert {cls.__name__ for cls in SETTINGS} >= {"MLPSettings", "TabMSettings", "BagSettings"}
    assert len(SETTINGS) == 10


@pytest.mark.parametrize("cls", SETTINGS)
def test_settings_build_their_network(cls: type[Architecture]) -> None:
    network = cls().build(SHAPE, 3)
    assert isinstance(network, nn.Module)
    assert sum(weight.numel() for weight in network.parameters()) > 0
