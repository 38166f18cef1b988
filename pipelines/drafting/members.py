"""The members of a drafted file: a linear model, a network, boosted trees and random ones."""

from __future__ import annotations

from dataclasses import fields

from pipelines.drafting.code import Node, call, literal, tupled
from pipelines.drafting.inputs import Inputs
from pipelines.drafting.sizes import (
    EXTRA_SHARE,
    LARGE_TREES,
    NetworkSize,
    TreesSize,
    Work,
    n_extra_trees,
    network_size,
    trees_sizes,
)
from pipelines.drafting.target import TargetGuess

MOST_LINEAR = 4_000_000  # cells times outputs that a linear model solves in seconds


def work_of(inputs: Inputs, target: TargetGuess, n_rows: int, n_folds: int) -> Work:
    """What the members have to learn."""
    n_outputs = n_outputs_of(target)
    return Work(
        n_rows=n_rows,
        n_inputs=inputs.n_network_inputs(target.n_means),
        n_columns=inputs.n_tree_inputs(target.n_means),
        n_outputs=n_outputs,
        n_folds=n_folds,
        n_binned=inputs.n_numbers,
    )


def n_outputs_of(target: TargetGuess) -> int:
    """Numbers of a prediction; one for two classes and for ordered ones."""
    if target.task.kind == "multiclass":
        return target.task.n_classes
    return target.task.n_targets


def members(work: Work, target: TargetGuess, inputs: Inputs) -> Node:
    """The field `members`."""
    scale: dict[str, Node] = {"target_transform": '"log1p"'} if target.transform else {}
    trees = [_trees(size, scale, inputs.coded) for size in trees_sizes(work)]
    network = _network(network_size(work), work, scale)
    return tupled([_linear(work, target, scale), network, *trees, *_extra_trees(work, scale)])


def _extra_trees(work: Work, scale: dict[str, Node]) -> list[Node]:
    """Random trees, whose errors are unlike those of boosted ones; none where rows are many."""
    n_trees = n_extra_trees(work)
    if not n_trees:
        return []
    estimator = call("ExtraTreesSettings", n_estimators=str(n_trees), max_features=str(EXTRA_SHARE))
    return [
        call(
            "EstimatorMember",
            name='"extra-trees"',
            encoder="for_networks",
            inputs='{"x_num": ("inputs",)}',
            estimator=estimator,
            **scale,
        )
    ]


def _linear(work: Work, target: TargetGuess, scale: dict[str, Node]) -> Node:
    inputs = '{"x_num": ("inputs",)}'
    estimator: Node
    if target.task.predicts_probabilities:
        estimator = call("LogisticSettings", C="0.3", **_few_steps(work))
    else:
        estimator = call("RidgeSettings", alpha="5.0")
    return call(
        "EstimatorMember",
        name='"linear"',
        encoder="for_networks",
        inputs=inputs,
        estimator=estimator,
        **scale,
    )


def _few_steps(work: Work) -> dict[str, Node]:
    """Large tables are not solved to the last digit."""
    is_large = work.n_rows * work.n_inputs * work.n_outputs > MOST_LINEAR
    return {"tol": "0.01", "max_iter": "100"} if is_large else {}


def _network(size: NetworkSize, work: Work, scale: dict[str, Node]) -> Node:
    has_bins = work.n_binned > 0
    bins = ', "x_bin": ("bins",)' if has_bins else ""
    n_bins: dict[str, Node] = {"n_bins": str(size.n_bins if has_bins else 0)}
    hidden, dropout = literal(size.hidden), str(size.dropout)
    if size.k > 1:
        model = call("TabMSettings", k=str(size.k), hidden=hidden, dropout=dropout, **n_bins)
    else:
        model = call("MLPSettings", hidden=hidden, dropout=dropout, **n_bins)
    train = call(
        "TrainSettings",
        epochs=str(size.epochs),
        batch_size=str(size.batch_size),
        lr=str(size.lr),
        weight_decay="0.01",
        schedule='"one_cycle"',
        evaluate_every=str(max(1, size.epochs // 4)),
    )
    return call(
        "NetworkMember",
        name='"tabm"' if size.k > 1 else '"mlp"',
        encoder="for_networks",
        inputs='{"x_num": ("inputs",)' + bins + "}",
        model=model,
        train=train,
        **_seeds(size.n_seeds),
        **scale,
    )


def _seeds(n_seeds: int) -> dict[str, Node]:
    return {"n_seeds": str(n_seeds)} if n_seeds > 1 else {}


def _trees(size: TreesSize, scale: dict[str, Node], coded: tuple[str, ...]) -> Node:
    is_coded = coded and size.name == LARGE_TREES
    inputs: dict[str, Node] = {"inputs": f'{{"x_num": {literal(coded)}}}'} if is_coded else {}
    skipped = ("name", "n_seeds")
    settings: dict[str, Node] = {
        f.name: str(getattr(size, f.name)) for f in fields(size) if f.name not in skipped
    }
    return call(
        "TreesMember",
        name=literal(size.name),
        encoder="for_trees",
        **inputs,
        trees=call("TreesSettings", **settings),
        **_seeds(size.n_seeds),
        **scale,
    )
