"""`compare-losses` on a toy of three classes: its page, its figures, its MLflow runs."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from features.encoders.tabular import TabularEncoder
from features.tables.schema import Column
from models.metrics import METRICS
from pipelines.commands import app
from pipelines.compare_losses.compare import (
    CompareLossesError,
    CompareLossesRequest,
    compare_losses,
    show,
)
from pipelines.compare_losses.forms import FORMS
from pipelines.compare_losses.page import answer
from pipelines.configuration.competition import OfflineSample
from pipelines.tracking import stores
from pipelines.workspace import arrays

pytestmark = [
    # From mlflow, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
CLASSES = ("low", "middle", "high")
N_STEPS = 15


def numbers_only():
    return TabularEncoder(numeric=["size", "weight"], categorical=[])


def unchanged(table):
    return table


def write_three(folder):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(150, 2)), columns=["size", "weight"])
    score = table["size"] + 0.3 * rng.normal(size=150)
    table["level"] = np.asarray(CLASSES)[np.digitize(score, [-0.4, 0.5])]
    table.insert(0, "Id", np.arange(150))
    train, test = table[:100], table[100:]
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns="level").to_csv(folder / "test.csv", index=False)
    test[["Id"]].assign(**dict.fromkeys(CLASSES, 1 / 3)).to_csv(folder / "sample.csv", index=False)
    test[["Id", "level"]].to_csv(folder / "holdout.csv", index=False)


@pytest.fixture(scope="module")
def three(toy):
    """The toy with three classes; its second network is the MLP."""
    members = [member.model_copy(update={"encoder": numbers_only}) for member in toy.members]
    changes = {
        "name": "three",
        "target": "level",
        "classes": CLASSES,
        "metric": METRICS["log_loss"],
        "form": "probabilities",
        "columns": (Column(name="size", kind="float"), Column(name="weight", kind="float")),
        "features": unchanged,
        "members": tuple(members),
        "sample": OfflineSample(
            write=write_three, origin="a generator", synthetic=True, fingerprint=lambda: "3"
        ),
    }
    return toy.model_copy(update=changes)


@pytest.fixture(scope="module")
def compared(three, tmp_path_factory, narrator):
    """One tracked comparison in a new workspace."""
    root = tmp_path_factory.mktemp("compared")
    request = CompareLossesRequest(source="sample", member="mlp", n_steps=N_STEPS, root=root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return root, compare_losses(three, request, narrator)


def test_the_folder_holds_page_figures_and_numbers(compared):
    root, comparison = compared
    folder = comparison.folder
    assert folder.parent == root / "runs" / "three"
    assert folder.name.startswith("compare-losses-")
    pictures = {path.name for path in (folder / "figures").iterdir()}
    assert pictures == {"curves.png", "limits.png", "stress.png", "cost.png"}
    steps = arrays.read(folder / "steps.npz")
    assert steps["float32.loss"].shape == (N_STEPS, len(FORMS))
    numbers = json.loads((folder / "comparison.json").read_text())
    assert numbers["setting"]["member"] == "mlp"
    assert numbers["breakdowns"]["float32"]["cross_entropy"]["loss"] == "inf"


def test_the_page_is_self_contained_and_has_this_run_s_numbers(compared):
    _, comparison = compared
    page = (comparison.folder / "page.html").read_text()
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count('role="img" aria-label="') == 4
    assert not re.findall(r'(?:src|href)="(?!data:,|#)', page)
    assert not re.findall(r"url\((?!#)|<script", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "Synthetic data" in page
    measured = comparison.measured
    limit = measured.breakdowns["bfloat16"]["softmax_log_nll"]
    scores = [trial.scores["log_loss"] for trial in measured.trials.values()]
    shown = [f"{value:.6f}" for values in scores for value in values]
    shown += [f"{limit.gradient:.5g}", f"{measured.agreements[1].value:.10f}"]
    shown += [f"{trap.torch_value:.6f}" for trap in measured.traps]
    assert all(f'<td class="n">{number}</td>' in page for number in shown)


def test_the_three_forms_saw_the_same_and_the_first_two_are_equal(compared):
    for trial in compared[1].measured.trials.values():
        assert np.array_equal(trial.loss[:, 0], trial.loss[:, 1])
        assert trial.gradient_gap[0, 2] < 0.05
    assert np.isnan(compared[1].measured.stress.loss[-1, 2])


def test_the_console_ends_with_a_table_and_three_sentences(compared):
    console = Console(width=200, record=True, quiet=False, file=None)
    with console.capture() as captured:
        show(compared[1], console)
    printed = captured.get()
    assert printed.count("(3) softmax, log, NLLLoss") == 3
    for sentence in answer(compared[1].measured):
        assert sentence.split(";")[0][:150] in printed
    assert "page.html" in printed


def test_mlflow_shows_three_children_under_their_parent(compared):
    from mlflow import MlflowClient

    root, comparison = compared
    client = MlflowClient(stores.local_store(root))
    experiment = client.get_experiment_by_name("three").experiment_id
    parent = client.get_run(comparison.mlflow_run_id)
    beneath = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = client.search_runs([experiment], beneath)
    assert len(client.search_runs([experiment])) == 4
    assert {run.data.params["form"] for run in children} == {form.name for form in FORMS}
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    artifacts = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"page.html", "comparison.json", "figures"}
    assert parent.data.tags["source"] == "synthetic"
    trial = comparison.measured.trials["float64"]
    for run in children:
        row = [form.name for form in FORMS].index(run.data.params["form"])
        curve = client.get_metric_history(run.info.run_id, "float64.loss")
        assert [point.value for point in curve] == list(trial.loss[:, row])
        assert [point.step for point in curve] == list(range(1, N_STEPS + 1))
        assert run.data.metrics["float64.log_loss"] == trial.scores["log_loss"][row]


def test_a_second_comparison_measures_the_same_but_for_the_times(
    compared, three, tmp_path, narrator
):
    request = CompareLossesRequest(
        source="sample", member="mlp", n_steps=N_STEPS, track=False, root=tmp_path
    )
    again = compare_losses(three, request, narrator)
    assert again.mlflow_run_id is None
    first, second = (c.folder for c in (compared[1], again))
    assert (first / "steps.npz").read_bytes() == (second / "steps.npz").read_bytes()
    both = [json.loads((folder / "comparison.json").read_text()) for folder in (first, second)]
    for numbers in both:
        assert numbers.pop("cost")
        assert numbers["setting"].pop("run")
    assert both[0] == both[1]
    for name in ("curves.png", "limits.png", "stress.png"):
        pictures = [(folder / "figures" / name).read_bytes() for folder in (first, second)]
        assert pictures[0] == pictures[1], name


@pytest.mark.parametrize(
    ("member", "message"),
    [("trees", "trees is no network, expected one of linear, mlp"), ("mpl", "did you mean 'mlp'")],
)
def test_a_member_that_is_no_network_is_refused(three, tmp_path, narrator, member, message):
    request = CompareLossesRequest(source="sample", member=member, root=tmp_path)
    with pytest.raises(ValueError, match=message) as refused:
        compare_losses(three, request, narrator)
    assert refused.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_two_classes_are_refused_on_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert app.main(["compare-losses", "titanic", "--source", "sample"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("foldwise: titanic has a binary target")
    assert not list(tmp_path.iterdir())


def test_a_competition_without_networks_is_refused(three, tmp_path, narrator):
    only_trees = three.model_copy(update={"members": three.members[2:]})
    with pytest.raises(CompareLossesError, match="but it has none"):
        compare_losses(only_trees, CompareLossesRequest(source="sample", root=tmp_path), narrator)
