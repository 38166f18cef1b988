"""Objects as plain JSON values: other content gives other values, in every process the same."""

from __future__ import annotations

import collections
import functools
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.encoders.tabular import TabularEncoder
from pipelines.configuration.canonical import LONGEST, canonical, text_of


@dataclass(slots=True)
class Slotted:
    column: str


class Plain:
    def __init__(self, column):
        self.column = column


class Columns(list):
    pass


def closing_over(column):
    return lambda table: table[column]


def local_class(column):
    class Local:
        def transform(self, table):
            return table[column]

    return Local


def cached(column):
    return functools.cache(lambda table: table[column])


def with_attribute(column):
    def encode(table):
        return table[encode.column]

    encode.column = column
    return encode


def frame(value):
    table = pd.DataFrame({"a": np.arange(1000), "b": ["x"] * 1000})
    return table.assign(b=table["b"].where(table["a"] != 500, value))


KINDS = {
    "text": lambda value: value,
    "long text": lambda value: "x" * LONGEST + value,
    "list": lambda value: [value],
    "long list": lambda value: ["x"] * LONGEST + [value],
    "tuple": lambda value: (value,),
    "set": lambda value: {"x", value},
    "mapping": lambda value: {value: 1},
    "order of a mapping": lambda value: {value: 1, "c": 2} if value == "a" else {"c": 2, value: 1},
    "list of its own kind": lambda value: Columns([value]),
    "default": lambda value: collections.defaultdict(lambda: 0 if value == "a" else 1),
    "array": lambda value: np.array([1, 2, 1 if value == "a" else 2]),
    "objects in an array": lambda value: np.array([None, value], dtype=object),
    "long array": lambda value: np.where(np.arange(5000) == 2500, ord(value), 0),
    "sparse array": lambda value: sparse.csr_array(np.eye(3) * ord(value)),
    "tensor": lambda value: torch.where(torch.arange(5000) == 2500, ord(value), 0),
    "table": frame,
    "series": lambda value: frame(value)["b"],
    "long pattern": lambda value: re.compile("x" * 300 + value),
    "lambda": closing_over,
    "constant of a lambda": lambda value: eval(f"lambda table: table[{value!r}]"),
    "default of a function": lambda value: lambda table, column=value: table[column],
    "keyword default": lambda value: lambda table, *, column=value: table[column],
    "attribute of a function": with_attribute,
    "cached function": cached,
    "partial": lambda value: functools.partial(TabularEncoder, [value]),
    "bound method": lambda value: Plain(value).__eq__,
    "class": local_class,
    "object of a class": lambda value: local_class(value)(),
    "made class": lambda value: type("Made", (), {"column": value}),
    "object": Plain,
    "object with slots": Slotted,
    "estimator": lambda value: TabularEncoder([value]),
    "estimators": lambda value: make_pipeline(
        StandardScaler(), FunctionTransformer(closing_over(value))
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_content_is_told_apart_and_equal_content_is_not(kind):
    first, same, other = (text_of(canonical(KINDS[kind](value))) for value in ("a", "a", "b"))
    assert first == same
    assert first != other


def test_kinds_of_numbers_and_containers_are_told_apart():
    values = [1, 1.0, True, "1", None, np.float32(1), np.int64(1), float("nan"), [1], (1,), {1}]
    assert len({text_of(canonical(value)) for value in values}) == len(values)


def test_what_is_set_on_an_estimator_later_counts():
    encoder = TabularEncoder(["a"])
    before = canonical(encoder)
    encoder.columns = ["b"]
    assert canonical(encoder) != before


def test_an_object_that_contains_itself_ends():
    ring = []
    ring.append(ring)
    assert canonical(ring) == [{"contains itself": -1}]


def test_what_cannot_be_pickled_has_no_address_in_it():
    one, other = (Plain(threading.Lock()) for _ in range(2))
    assert canonical(one) == canonical(other)


def test_long_values_are_short():
    assert len(text_of(canonical(TabularEncoder([str(n) for n in range(10_000)])))) < LONGEST


SCRIPT = """
from features.encoders.tabular import TabularEncoder
from pipelines.configuration.canonical import canonical, text_of

levels = {"kind": frozenset({"x", "y", "z"})}
print(text_of(canonical([TabularEncoder(["a"], levels=levels), lambda t: t["k"] in {"a", "b"}])))
"""


def test_every_process_gives_the_same():
    def output(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", SCRIPT]
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    assert output("1") == output("2")
