"""A competition's fields: former names are accepted, unknown ones get a suggestion."""

import numpy as np
import pytest
from pydantic import ValidationError

from models.estimators.sklearn_models import LogisticSettings
from models.metrics import METRICS
from pipelines.configuration.competition import (
    Competition,
    FileFormat,
    Kaggle,
    OtherForm,
    SecondLevel,
    TrainTestOverlap,
)
from pipelines.configuration.field_names import FORMER_NAMES, one_line

STACKERS = {"lines": LogisticSettings()}


def context(table, predicted):
    return predicted


def is_new(table, fold):
    return np.ones(len(table), dtype=bool)


def convert(source, folder):
    pass


OVERLAP = TrainTestOverlap("kind", is_new)
FORM = OtherForm(("whole.csv",), convert)
# By former name: a value, and the fields under their present names.
FORMER = {
    "separator": ("\t", {"file_format": FileFormat(separator="\t")}),
    "quoting": (False, {"file_format": FileFormat(quoting=False)}),
    "numbered": (True, {"file_format": FileFormat(row_numbers=True)}),
    "stackers": (STACKERS, {"second_level": SecondLevel(stackers=STACKERS)}),
    "kin": (context, {"second_level": SecondLevel(context_features=context)}),
    "known": (OVERLAP, {"train_test_overlap": OVERLAP}),
    "spare": ((), {"optional_members": ()}),
    "also": (("macro_f1",), {"extra_metrics": (METRICS["macro_f1"],)}),
    "answer": ("Win", {"submission_column": "Win"}),
    "foreign": ((FORM,), {"other_forms": (FORM,)}),
}


@pytest.fixture
def fields(toy):
    """Those of the toy that are set, so that a test can give others by any name."""
    found = {name: getattr(toy, name) for name in toy.model_fields_set}
    folds = toy.folds.model_copy(update={"n_repeats": 1})
    return found | {"folds": folds}


def test_each_former_name_is_tested_here():
    assert set(FORMER) == set(FORMER_NAMES)


@pytest.mark.parametrize("former", FORMER)
def test_a_former_name_sets_the_present_field(former, fields):
    value, present = FORMER[former]
    made = Competition(**fields, **{former: value})
    for name, expected in present.items():
        assert getattr(made, name) == expected


def test_former_names_of_one_group_go_together(fields):
    made = Competition(**fields, separator=";", quoting=False, stackers=STACKERS, kin=context)
    assert made.file_format == FileFormat(separator=";", quoting=False)
    assert made.second_level == SecondLevel(stackers=STACKERS, context_features=context)


@pytest.mark.parametrize("former", FORMER)
def test_both_names_of_a_field_are_an_error(former, fields):
    value, present = FORMER[former]
    with pytest.raises(ValidationError, match=r"former name of .*leave one of them out") as caught:
        Competition(**fields, **present, **{former: value})
    assert one_line(caught.value).startswith(f"{former}: unknown field")


def test_every_fault_is_reported_at_once_with_suggestions(fields):
    del fields["metric"]
    fields |= {"folds_": 3, "wholly_unlike": 1, "form": "valuess"}
    with pytest.raises(ValidationError) as caught:
        Competition(**fields, kaggle_={"slug": 1})
    message = one_line(caught.value)
    assert "folds_: unknown field: did you mean 'folds'?" in message
    assert "kaggle_: unknown field: did you mean 'kaggle'?" in message
    assert "wholly_unlike: unknown field: known: name, title" in message
    assert "metric: Field required" in message
    assert "form: Input should be 'labels', 'probabilities', 'values' or 'top_k'" in message
    assert "\n" not in message


def test_unknown_fields_of_a_group_get_suggestions_too(fields):
    with pytest.raises(ValidationError) as caught:
        Competition(**fields, file_format={"seperator": ";"}, kaggle_="x")
    message = one_line(caught.value)
    assert "file_format.seperator: unknown field: did you mean 'separator'?" in message
    assert "kaggle_: unknown field" in message
    with pytest.raises(ValidationError, match="did you mean 'slug'"):
        Kaggle(slug="toy", slugg="toy")


def test_members_of_one_name_are_an_error(toy, fields):
    fields["members"] = (toy.members[0], toy.members[0])
    with pytest.raises(ValidationError, match="every member needs a name of its own, found"):
        Competition(**fields)


def test_a_stacker_is_found_by_the_name_that_an_older_run_stored():
    level = SecondLevel(stackers={"context": LogisticSettings(C=2.0)})
    assert level.stacker("kin") == level.stacker("context") == LogisticSettings(C=2.0)
    with pytest.raises(KeyError):
        level.stacker("lines")
