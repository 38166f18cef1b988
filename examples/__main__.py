"""Runs all examples in the order of the course: `python examples`, or `make examples`."""

import runpy
import time
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("[0-9]*.py")):
    start = time.perf_counter()
    print(f"\n{script.name}")
    runpy.run_path(str(script), run_name="__main__")
    print(f"seconds: {time.perf_counter() - start:.1f}")
