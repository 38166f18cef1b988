"""A fitted forest of scikit-learn as a few small arrays, and back, with bit-identical predictions.

scikit-learn stores 136 bytes a node for nine classes, most of them used only while a tree grows.
Prediction needs a tenth of that, and compression halves it again:

- a node's left child is the next node, since trees grow depth first;
- thresholds are only compared with float32, so the largest float32 below one is equivalent;
- the class shares in a leaf are whole numbers of training rows over their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def to_arrays(forest: Any) -> Arrays:
    """The arrays that `rebuild` takes; empty if the forest breaks an assumption listed above."""
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
    """Put the trees of `arrays` into an unfitted forest."""
    from sklearn.tree import ExtraTreeClassifier

    forest.classes_, forest.n_outputs_ = arrays["classes"], 1
    forest.n_classes_, forest.n_features_in_ = len(arrays["classes"]), int(arrays["n_features"])
    forest.estimators_ = []
    for nodes, counts in _by_tree(arrays):
        tree = ExtraTreeClassifier()
        tree.classes_, tree.n_outputs_, tree.n_classes_ = arrays["classes"], 1, forest.n_classes_
        tree.n_features_in_ = forest.n_features_in_
        tree.tree_ = _tree(nodes, counts, forest)
        forest.estimators_.append(tree)
    return forest


def _by_tree(arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[Arrays, np.ndarray]]:
    """The nodes of each tree, and its leaves' row counts `(n_leaves, n_classes)`."""
    node = leaf = 0
    for n_nodes in arrays["n_nodes"]:
        span = slice(node, node + n_nodes)
        nodes = {name: arrays[name][span] for name in ("feature", "threshold", "right")}
        n_leaves = int((nodes["feature"] < 0).sum())
        yield nodes, arrays["counts"][leaf : leaf + n_leaves]
        node, leaf = node + n_nodes, leaf + n_leaves


def _of_tree(tree: Any) -> Arrays | None:
    """Each node's column, threshold and right child, and each leaf's row count of each class."""
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
    """The largest float32 that is not above each value, `(n,)`."""
    nearest = values.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    rounded: np.ndarray = np.where(nearest.astype(np.float64) > values, below, nearest)
    return rounded


def _tree(nodes: Arrays, counts: np.ndarray, forest: Any) -> Any:
    """A tree of scikit-learn; fields that only growing uses stay zero."""
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
