from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from submissions.check import (
    SampleError,
    SubmissionError,
    SubmissionForm,
    check,
    check_sample_matches_test,
)

LABELS = SubmissionForm(id="id", kind="labels", columns=("y",), labels=(0, 1))
PROBABILITIES = SubmissionForm(id="id", kind="probabilities", columns=("a", "b"))
ONE_PROBABILITY = SubmissionForm(id="id", kind="probabilities", columns=("a",))
SAMPLE = {
    LABELS: pd.DataFrame({"id": [11, 12, 13], "y": [0, 0, 0]}),
    PROBABILITIES: pd.DataFrame({"id": [11, 12, 13], "a": 0.5, "b": 0.5}),
    ONE_PROBABILITY: pd.DataFrame({"id": [11, 12, 13], "a": 0.5}),
}


@pytest.fixture
def csv_file(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "submission.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (LABELS, "id,y\n11,0\n12,1\n13,1\n"),
        (LABELS, "\ufeffid,y\r\n13,0\r\n12,1\r\n11,1\r\n"),
        (PROBABILITIES, "id,a,b\n11,0,1\n12,0.25,0.7501\n13,1e-9,1\n"),
        (ONE_PROBABILITY, "id,a\n11,0.1\n12,0.2\n13,0.3\n"),
    ],
)
def test_a_right_submission_passes(csv_file, form, content):
    check(csv_file(content), SAMPLE[form], form)


BAD = {
    "missing id": (LABELS, "id,y\n11,0\n13,0\n", ["1 ids of the sample are missing", "'12'"]),
    "unknown id": (
        LABELS, "id,y\n11,0\n12,0\n13,0\n99,0\n", ["1 ids are not in the sample ('99'; line 5)"]),
    "repeated id": (
        LABELS, "id,y\n11,0\n12,0\n13,0\n12,1\n", ["1 ids are repeated ('12'; line 5)"]),
    "no id": (LABELS, "id,y\n11,0\n,0\n13,0\n", ["the id is missing (line 3)", "'12'"]),
    "id as a float": (LABELS, "id,y\n11.0,0\n12,0\n13,0\n", ["'11.0'; line 2"]),
    "missing column": (LABELS, "id\n11\n12\n13\n", ["missing columns y"]),
    "unknown column": (LABELS, "id,y,z\n11,0,0\n12,0,0\n13,0,0\n", ["unknown columns z"]),
    "repeated column": (LABELS, "id,y,y\n11,0,0\n12,0,0\n13,0,0\n", ["repeated columns y"]),
    "wrong order": (LABELS, "y,id\n0,11\n0,12\n0,13\n", ["found the columns y, id, expected"]),
    "index written too": (
        LABELS,
        ",id,y\n0,11,0\n1,12,0\n2,13,0\n",
        ["unknown columns without a name", "index=False"],
    ),
    "missing label": (LABELS, "id,y\n11,\n12,0\n13,0\n", ["'y': found nothing (line 2 = id 11)"]),
    "unknown label": (LABELS, "id,y\n11,0\n12,7\n13,0\n", ["'7' (line 3 = id 12)", "one of 0, 1"]),
    "label as a float": (LABELS, "id,y\n11,0\n12,1.0\n13,0\n", ["found '1.0'"]),
    "header only": (LABELS, "id,y\n", ["3 ids of the sample are missing"]),
    "empty file": (LABELS, "", ["found an empty file"]),
    "not UTF-8": (LABELS, b"id,y\n\xe9,0\n", ["cannot be read ('utf-8' codec"]),
    "broken quotes": (LABELS, 'id,y\n"11,0\n', ["cannot be read (unexpected end of data)"]),
    "semicolons": (LABELS, "id;y\n11;0\n", ["missing columns id, y", "unknown columns id;y"]),
    "short row": (LABELS, "id,y\n11,0\n12\n13,0\n", ["expected 2 fields", "(line 3)"]),
    "long row": (LABELS, "id,y\n11,0\n12,0,0\n13,0\n", ["expected 2 fields", "(line 3)"]),
    "missing probability": (
        PROBABILITIES, "id,a,b\n11,,1\n12,0,1\n13,0,1\n", ["'a': found nothing (line 2 = id 11)"]),
    "the word nan": (PROBABILITIES, "id,a,b\n11,nan,1\n12,0,1\n13,0,1\n", ["a finite number"]),
    "infinite": (PROBABILITIES, "id,a,b\n11,0,1\n12,0,1\n13,0,inf\n", ["'b': found 'inf'"]),
    "text": (PROBABILITIES, "id,a,b\n11,x,1\n12,0,1\n13,0,1\n", ["'x'", "a finite number"]),
    "negative": (PROBABILITIES, "id,a,b\n11,-0.1,1\n12,0,1\n13,0,1\n", ["a probability from 0"]),
    "above 1": (ONE_PROBABILITY, "id,a\n11,1.1\n12,0\n13,1\n", ["found '1.1'", "from 0 to 1"]),
    "wrong sum": (
        PROBABILITIES, "id,a,b\n11,0,1\n12,0.5,0.6\n13,0,1\n",
        ["'sum of a row': found '1.1' (line 3 = id 12), expected 1 within 0.001"]),
}  # fmt: skip


@pytest.mark.parametrize(("form", "content", "expected"), BAD.values(), ids=BAD.keys())
def test_a_fault_is_reported_in_one_line(csv_file, form, content, expected):
    path = csv_file(content)
    with pytest.raises(SubmissionError) as caught:
        check(path, SAMPLE[form], form)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert all(part in message for part in [*expected, ". Next: "])
    assert "\n" not in message
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("form", "fields", "expected"),
    [
        (LABELS, {"y": [0, np.nan, 1]}, "'y': found nothing (line 3 = id 12)"),
        (LABELS, {"y": [0.5, 1, 1]}, "found '0.5' (line 2 = id 11)"),
        (LABELS, {"id": [11, 12, 12]}, "1 ids are repeated ('12'; line 4)"),
        (PROBABILITIES, {"a": [0.5, np.inf, 0.5]}, "'a': found 'inf' (line 3 = id 12)"),
        (PROBABILITIES, {"a": [0.5, 0.4, 0.5]}, "found '0.9' (line 3 = id 12)"),
    ],
)
def test_a_table_in_memory_is_checked_as_it_would_be_written(form, fields, expected):
    table = SAMPLE[form].assign(**fields)
    with pytest.raises(SubmissionError, match=re.escape(expected)):
        check(table, SAMPLE[form], form)


def test_a_right_table_in_memory_passes_whatever_its_index():
    for form, sample in SAMPLE.items():
        check(sample.set_axis([7, 7, 7]), sample, form)


def test_labels_that_are_text_or_truth_values(csv_file):
    form = SubmissionForm(id="id", kind="labels", columns=("y",), labels=(False, True))
    sample = SAMPLE[LABELS].assign(y=[False] * 3)
    check(csv_file("id,y\n11,True\n12,False\n13,True\n"), sample, form)
    with pytest.raises(SubmissionError, match=r"found 'true'.*expected one of False, True"):
        check(csv_file("id,y\n11,true\n12,False\n13,True\n"), sample, form)


def test_all_faults_at_once_the_first_rows_and_how_many(csv_file):
    ids = range(1, 9)
    sample = pd.DataFrame({"id": ids, "y": 0})
    rows = "".join(f"{i},9\n" for i in ids if i != 4)
    with pytest.raises(SubmissionError) as caught:
        check(csv_file("id,y,z\n" + rows), sample, LABELS)
    message = str(caught.value)
    assert "unknown columns z" in message
    assert "1 ids of the sample are missing (first: '4')" in message
    assert "found '9' (line 2 = id 1, line 3 = id 2, line 4 = id 3 and 4 more)" in message


def test_no_such_file(tmp_path):
    with pytest.raises(SubmissionError, match="No such file"):
        check(tmp_path / "none.csv", SAMPLE[LABELS], LABELS)


@pytest.mark.parametrize(
    "sample",
    [
        SAMPLE[LABELS].rename(columns={"y": "Y"}),
        SAMPLE[LABELS].assign(id=[11, 11, 12]),
        SAMPLE[LABELS].head(0),
    ],
)
def test_a_wrong_sample_is_not_the_submissions_fault(sample):
    with pytest.raises(SampleError, match=r"sample submission: .*Next: download") as caught:
        check(SAMPLE[LABELS], sample, LABELS)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("sample_ids", "test_ids", "expected"),
    [
        ([1, 2, 3], [1, 2], "test.csv: 1 ids of sample.csv are missing (first: '3')"),
        ([1, 2], [1, 2, 3], "test.csv: 1 ids are not in sample.csv ('3'; line 4)"),
        ([1, 2], [1, 2, 2], "test.csv: 1 ids are repeated ('2'; line 4)"),
        ([1, 2, 2], [1, 2], "sample.csv has id 2 twice"),
    ],
)
def test_a_sample_that_disagrees_with_the_test_file(sample_ids, test_ids, expected):
    with pytest.raises(SampleError, match=re.escape(expected)):
        check_sample_matches_test(
            pd.Series(sample_ids), pd.Series(test_ids),
            sample_file="sample.csv", test_file="test.csv",
        )  # fmt: skip
    check_sample_matches_test(pd.Series([1, 2]), pd.Series(["2", "1"]))


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "top_k", "columns": ("a", "b"), "labels": (0, 1)},
        {"kind": "top_k", "columns": ("a",), "labels": ("one", "one two")},
        {"kind": "labels", "columns": ("a",)},
        {"kind": "labels", "columns": ("a",), "labels": (1, 1)},
        {"kind": "probabilities", "columns": ()},
        {"kind": "ranks", "columns": ("a",)},
    ],
)
def test_a_form_that_contradicts_itself(fields):
    with pytest.raises(ValidationError):
        SubmissionForm(id="id", **fields)
