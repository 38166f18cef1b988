"""A fitted forest of scikit-learn as a few small arrays, and back; the same bytes are predicted.

A tree as scikit-learn holds it is 136 bytes a node for nine classes, most of which only growing
needs. What predicting needs is a tenth of that, and half of it again when it is compressed:

- a branch goes left to the next node, since trees grow depth first;
- thresholds are compared with float32 only, so the largest float32 below one does the same;
- the shares of the classes in a leaf are whole numbers of training rows over their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def to_arrays(forest: Any) -> Arrays:
    """What `rebuild` needs; nothing of a forest that is not as said above."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    parts = [_of_tree(tree) for tree in trees]
    if any(part is None for part in parts):
        return {}
    whole = [part for part in parts if part is not None]
    named = {name: np.concatenate([part[name] for part in whole]) for name in whole[0]}
    return {
        **named,
        "n_nodes": np.array([tree.node_count for tree in trees]),
        "classes": np.asarray(forest.classes_),
        "n_features": np.array(forest.n_features_in_),
    }


def rebuild(forest: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Give a forest that was not fitted the trees of `arrays`."""
    from sklearn.tree import ExtraTreeClassifier

    forest.classes_, forest.n_outputs_ = arrays["classes"], 1
    forest.n_classes_, forest.n_features_in_ = len(arrays["classes"]), int(arrays["n_features"])
    forest.estimators_ = []
    node = leaf = 0
    for n_nodes in arrays["n_nodes"]:
        own = slice(node, node + n_nodes)
        n_leaves = int((arrays["feature"][own] < 0).sum())
        counts = arrays["counts"][leaf : leaf + n_leaves]
        tree = ExtraTreeClassifier()
        tree.classes_, tree.n_outputs_, tree.n_classes_ = arrays["classes"], 1, forest.n_classes_
        tree.n_features_in_ = forest.n_features_in_
        nodes = {name: arrays[name][own] for name in ("feature", "threshold", "right")}
        tree.tree_ = _tree(nodes, counts, forest)
        forest.estimators_.append(tree)
        node, leaf = node + n_nodes, leaf + n_leaves
    return forest


def _of_tree(tree: Any) -> Arrays | None:
    """Each node's column, threshold and right child, and each leaf's rows of each class."""
    is_leaf = tree.children_left < 0
    inner = np.flatnonzero(~is_leaf)
    shares = tree.value[is_leaf, 0]
    n_rows = tree.weighted_n_node_samples[is_leaf, None]
    counts = np.rint(shares * n_rows)
    is_depth_first = np.array_equal(tree.children_left[inner], inner + 1)
    if not is_depth_first or not np.array_equal(counts / n_rows, shares):
        return None
    return {
        "feature": np.where(is_leaf, -1, tree.feature).astype(np.int16),
        "threshold": _rounded_down(tree.threshold),
        "right": tree.children_right.astype(np.int32),
        "counts": counts.astype(np.uint32),
    }


def _rounded_down(values: np.ndarray) -> np.ndarray:
    """The largest float32 that is no larger, `(n,)`."""
    nearest = values.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    rounded: np.ndarray = np.where(nearest.astype(np.float64) > values, below, nearest)
    return rounded


def _tree(nodes: Arrays, counts: np.ndarray, forest: Any) -> Any:
    """A tree of scikit-learn; what only growing needs stays zero."""
    from sklearn.tree._tree import NODE_DTYPE, Tree

    is_leaf = nodes["feature"] < 0
    filled = np.zeros(len(is_leaf), dtype=NODE_DTYPE)
    filled["left_child"] = np.where(is_leaf, -1, np.arange(1, len(is_leaf) + 1))
    filled["right_child"] = nodes["right"]
    filled["feature"] = np.where(is_leaf, -2, nodes["feature"])
    filled["threshold"] = nodes["threshold"]
    values = np.zeros((len(is_leaf), 1, forest.n_classes_))
    values[is_leaf, 0] = counts / counts.sum(axis=1, keepdims=True)
    tree = Tree(forest.n_features_in_, np.array([forest.n_classes_], dtype=np.intp), 1)
    tree.__setstate__(
        {"max_depth": 0, "node_count": len(filled), "nodes": filled, "values": values}
    )
    return tree
