"""`python -m pipelines`, the same as the command `foldwise`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGES = ("features", "models", "submissions", "foldwise")


def main() -> None:
    """Run the command line, after checking that its packages are this checkout's."""
    fault = foreign_package()
    if fault is not None:
        print(f"foldwise: {fault}", file=sys.stderr)
        raise SystemExit(2)
    from pipelines.process import prepare

    prepare()
    from pipelines.commands.app import main as command_line

    raise SystemExit(command_line())


def foreign_package() -> str | None:
    """Which of our packages another project's shadows, as a sentence; None if none is."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin != home / name / "__init__.py":
            return (
                f"the package {name!r} comes from {origin or 'nowhere'}, expected {home / name}: "
                "another one shadows ours; run in another folder or remove it from PYTHONPATH"
            )
    return None


if __name__ == "__main__":
    main()
