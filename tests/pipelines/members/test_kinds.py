"""What every kind of member has to do, and what a kind must not touch."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import pipelines
from features.encoders.tabular import TabularEncoder
from models.architectures.mlp import MLPSettings
from models.estimators.sklearn_models import LogisticSettings
from models.estimators.trees import TreesSettings
from models.training.settings import TrainSettings
from pipelines.configuration.member_settings import MemberSettings
from pipelines.members.estimator import EstimatorMember
from pipelines.members.member import LoadContext, MemberKindError, members_of
from pipelines.members.network import NetworkMember
from pipelines.members.predictions import Problem
from pipelines.members.trees import TreesMember
from pipelines.raw_files.sources import choose_source
from pipelines.stages import train
from pipelines.stages.dataset import encode
from pipelines.stages.download import download
from pipelines.stages.preprocess import prepare

ROOT = Path(pipelines.__file__).parents[1]
KINDS = ("network", "trees", "estimator")


def numbers():
    return TabularEncoder(numeric=["size", "double"])


MEMBERS = (
    NetworkMember(
        name="mlp",
        encoder=numbers,
        model=MLPSettings(hidden=(4,)),
        train=TrainSettings(epochs=2, batch_size=32),
        n_seeds=2,
    ),
    TreesMember(name="trees", encoder=numbers, trees=TreesSettings(n_estimators=3), n_seeds=2),
    EstimatorMember(name="lines", encoder=numbers, estimator=LogisticSettings()),
)


@pytest.fixture(scope="module")
def data(toy, tmp_path_factory):
    root = tmp_path_factory.mktemp("kinds")
    return encode(prepare(toy, download(toy, choose_source("sample", toy), root)), numbers)


@pytest.fixture(scope="module")
def saved(toy, data, tmp_path_factory):
    """For each member its predictions, and its models as they are read back."""
    context = LoadContext(
        Problem.of(toy), len(data.views), "cpu", data.target, data.views.__getitem__
    )
    made = {}
    for member in MEMBERS:
        folder = tmp_path_factory.mktemp(member.name)
        predictions = train.train(toy, member, data, device="cpu")
        member.save(predictions, folder)
        made[member.name] = (predictions, member.load(folder, context))
    return made


@pytest.mark.parametrize("name", [member.name for member in MEMBERS])
def test_saved_models_predict_the_test_rows_as_they_did(saved, data, name):
    predictions, models = saved[name]
    tests = [view.test for view in data.views]
    np.testing.assert_array_equal(models.predict_mean(tests), predictions.test)


@pytest.mark.parametrize("name", [member.name for member in MEMBERS])
def test_the_models_of_one_split_predict_its_held_out_rows(saved, data, name):
    predictions, models = saved[name]
    oof = np.zeros_like(predictions.oof)
    for number, view in enumerate(data.views):
        rows = view.split.valid_rows
        held_out = {key: array[rows] for key, array in view.train.items()}
        oof[rows] += models.of_split(number)(held_out) / data.folds.n_repeats
    np.testing.assert_allclose(oof, predictions.oof, atol=1e-6)


def test_one_replica_is_an_ordinary_network(saved, data):
    _, models = saved["mlp"]
    inputs = {key: torch.as_tensor(array) for key, array in data.views[1].test.items()}
    with torch.no_grad():
        logits = [models.network(1, seed)(**inputs) for seed in range(2)]
    positive = torch.stack([torch.sigmoid(own)[:, 0] for own in logits]).mean(dim=0)
    expected = models.of_split(1)(data.views[1].test)[:, 1]
    np.testing.assert_allclose(positive.numpy(), expected, atol=1e-6)


def test_settings_alone_are_no_member(toy):
    plain = MemberSettings(name="plain", encoder=numbers)
    competition = toy.model_copy(update={"members": (*toy.members, plain)})
    with pytest.raises(MemberKindError, match="toy: member plain is a MemberSettings, expected"):
        members_of(competition)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_imports_no_other_kind_nor_its_models(kind):
    """The code of a training stage is what its kind imports: an edit must retrain no other kind."""
    imported = closure(f"pipelines.members.{kind}")
    foreign = {f"pipelines.members.{other}" for other in KINDS if other != kind}
    if kind == "network":
        foreign |= {f"models.estimators.{name}" for name in ("trees", "boosters", "sklearn_models")}
    else:
        foreign |= {"models.losses", "pipelines.members.pretrained"}
        foreign |= {name for name in imported if name.startswith(NETWORKS)}
    assert f"pipelines.members.{kind}" in imported
    assert not imported & foreign


NETWORKS = ("models.networks.", "models.training.", "models.vectorised.")


def test_the_training_stage_imports_no_kind_and_no_other_stage():
    imported = closure("pipelines.stages.train")
    assert not imported & {f"pipelines.members.{kind}" for kind in KINDS}
    assert {name for name in imported if name.startswith("pipelines.stages.")} == {
        "pipelines.stages.train"
    }


def closure(module):
    """Names of the project's modules that the module imports, directly or through others."""
    found, left = set(), [module]
    while left:
        name = left.pop()
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if name not in found and path.is_file():
            found.add(name)
            left += imports(ast.parse(path.read_text()))
    return found


def imports(tree):
    """Names in every import but those for type checkers, functions included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from imports(node)
