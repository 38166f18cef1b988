"""The benchmark of growth: its exponents, and that every stage of a small size can be measured."""

import functools
import json
import os
import subprocess
import sys

import pytest

from benchmarks import growth


def test_an_exponent_is_the_slope_of_the_logarithms():
    sizes = [10, 100, 1000]
    assert growth.exponent(sizes, [3.0, 30.0, 300.0], 0.1) == pytest.approx(1.0)
    assert growth.exponent([10, 20, 40], [1.0, 4.0, 16.0], 0.1) == pytest.approx(2.0)


def test_values_that_say_nothing_are_left_out():
    assert growth.exponent([10, 100, 1000], [0.05, 1.0, 10.0], 0.1) == pytest.approx(1.0)
    assert growth.exponent([10, 100, 1000], [0.5, 10.0, 100.0], 0.1) == pytest.approx(1.0)
    assert growth.exponent([10, 100], [0.05, 1.0], 0.1) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="stages run in forked processes")
@pytest.mark.parametrize("replicas", [1, 10])
def test_every_stage_of_a_small_size_is_measured(replicas):
    code = (
        "import json; from benchmarks import growth; "
        f"size = growth.Size(rows=200, columns=3, classes=3, replicas={replicas}); "
        "print(json.dumps(growth.measured(size)))"
    )
    command = [sys.executable, "-c", code]  # forked from a process that has trained nothing
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert set(found) == {*growth.STAGES, "arrays"}
    assert all(found[stage]["clock"] > 0 for stage in growth.STAGES)


def test_a_stage_that_fails_ends_the_benchmark():
    with pytest.raises(ValueError, match="no number"):
        growth.forked(functools.partial(int, "no number"))


def test_the_page_has_a_table_for_each_of_the_four():
    cell = {"clock": 1.0, "processor": 1.0, "bytes": 1e8}
    found = {
        name: {size: dict.fromkeys((*growth.STAGES, "arrays"), cell) for size in (10, 100)}
        for name in growth.VARIED
    }
    nothing = dict.fromkeys(growth.STAGES, dict.fromkeys(cell, 0.0))
    text = growth.page(found, nothing)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        *("Rows", "Columns", "Classes", "Replicas"),
    ]
    assert "| trees | MB | 100 (1.0 ×) | 100 (1.0 ×) | 0.00 |" in text
