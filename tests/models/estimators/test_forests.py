from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from models.estimators import forests


def make_rows(n_rows=400, n_classes=3):
    """Some columns of whole numbers, on which thresholds lie close."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, n_classes, n_rows)
    x = rng.normal(size=(n_rows, 6)) + (np.arange(6) % n_classes == target[:, None])
    x[:, :3] = np.round(x[:, :3])
    return x.astype(np.float32), target


FORESTS = {
    "deep": lambda: ExtraTreesClassifier(20, random_state=0),
    "with leaves of two": lambda: ExtraTreesClassifier(20, min_samples_leaf=2, random_state=0),
    "of drawn rows": lambda: RandomForestClassifier(20, random_state=0),
    "of stumps without a split": lambda: ExtraTreesClassifier(3, min_samples_leaf=300),
}


@pytest.mark.parametrize("name", FORESTS)
def test_a_rebuilt_forest_predicts_the_same_bytes(name):
    x, target = make_rows()
    fitted = FORESTS[name]().fit(x, target)
    again = forests.rebuild(FORESTS[name](), forests.to_arrays(fitted))
    new = np.concatenate([x, np.round(3 * x), x + 0.5]).astype(np.float32)
    np.testing.assert_array_equal(again.predict_proba(new), fitted.predict_proba(new))


def test_rows_that_lie_on_a_threshold_take_the_same_branch():
    x, target = make_rows()
    fitted = ExtraTreesClassifier(5, random_state=0).fit(x, target)
    again = forests.rebuild(ExtraTreesClassifier(5), forests.to_arrays(fitted))
    for tree in fitted.estimators_:
        inner = tree.tree_.feature >= 0
        on = tree.tree_.threshold[inner].astype(np.float32)
        near = np.concatenate(
            [on, np.nextafter(on, np.float32(9)), np.nextafter(on, np.float32(-9))]
        )
        rows = np.repeat(near[:, None], 6, axis=1)
        np.testing.assert_array_equal(again.predict_proba(rows), fitted.predict_proba(rows))


def test_nothing_is_an_object_and_all_is_small():
    x, target = make_rows(4000)
    fitted = ExtraTreesClassifier(10, random_state=0).fit(x, target)
    arrays = forests.to_arrays(fitted)
    assert all(array.dtype.kind in "iuf" for array in arrays.values())
    n_nodes = sum(tree.tree_.node_count for tree in fitted.estimators_)
    assert sum(array.nbytes for array in arrays.values()) < 20 * n_nodes


def test_a_forest_that_did_not_grow_depth_first_is_not_kept():
    x, target = make_rows()
    assert forests.to_arrays(ExtraTreesClassifier(3, max_leaf_nodes=20).fit(x, target)) == {}
