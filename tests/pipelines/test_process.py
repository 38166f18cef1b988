from __future__ import annotations

import os
import subprocess
import sys

import pytest

TYPED = """
import os, sys
sys.argv = ["foldwise", "--version"]
from pipelines.__main__ import main
try:
    main()
except SystemExit:
    print(os.environ.get("OMP_WAIT_POLICY"), "torch" in sys.modules)
"""


def policy_of_a_command(**variables: str) -> str:
    """What OpenMP is told, and whether torch was imported before or after it."""
    own = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    typed = [sys.executable, "-c", TYPED]
    environment = inherited | variables
    done = subprocess.run(typed, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "passive False"),
        ({"OMP_WAIT_POLICY": "active"}, "active False"),
        ({"GOMP_SPINCOUNT": "1000"}, "None False"),
    ],
)
def test_threads_of_a_command_sleep_unless_told_otherwise(
    variables: dict[str, str], expected: str
) -> None:
    assert policy_of_a_command(**variables) == expected


def test_the_library_leaves_the_process_alone() -> None:
    code = "import os, foldwise, models.training.fit; print(os.environ.get('OMP_WAIT_POLICY'))"
    inherited = {n: v for n, v in os.environ.items() if n != "OMP_WAIT_POLICY"}
    typed = [sys.executable, "-c", code]
    done = subprocess.run(typed, env=inherited, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
