"""Tasks: the shapes of their predictions, the constant answer, and what folds are stratified by."""

import numpy as np
import pytest

from models.tasks import Task


@pytest.mark.parametrize(
    ("task", "n_columns"),
    [
        (Task("binary", 2), 2),
        (Task("multiclass", 7), 7),
        (Task("ordinal", 6), 1),
        (Task("regression"), 1),
        (Task("regression", 0, 3), 3),
        (Task("multilabel", 2, 5), 5),
    ],
)
def test_columns_of_a_prediction(task, n_columns):
    assert task.n_columns == n_columns


def test_the_constant_answer():
    assert Task("multiclass", 3).baseline(np.array([0, 0, 1, 0])).tolist() == [0.75, 0.25, 0]
    assert Task("regression").baseline(np.array([1.0, 2.0, 6.0])).tolist() == [3]
    both = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert Task("multilabel", 2, 2).baseline(both).tolist() == [0.5, 0]


def test_values_are_stratified_by_tenths_of_their_rank():
    values = np.random.default_rng(0).permutation(100).astype(float)
    strata = Task("regression").strata(values)
    assert np.bincount(strata).tolist() == [10] * 10
    assert (np.diff(strata[np.argsort(values)]) >= 0).all()
    assert Task("multilabel", 2, 3).strata(np.eye(3)[[0, 1, 2]]).tolist() == [0, 0, 0]
