"""The identity of an encoder: members share a stage only where their encoders are the same."""

from __future__ import annotations

import functools
import importlib
import json
import sys

import numpy as np
import pandas as pd
import pytest

from features.encoders.base import BaseEncoder
from features.encoders.tabular import TabularEncoder
from models.estimators.trees import TreesSettings
from pipelines import competitions
from pipelines.commands import app
from pipelines.configuration.assignments import choose_members
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import (
    EncoderNameError,
    NoEncoderError,
    check_encoders,
    encoder_identities,
)
from pipelines.members.trees import TreesMember
from pipelines.prediction.predictor import Predictor
from pipelines.raw_files.sources import choose_source
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.stages import train
from pipelines.stages.download import download
from pipelines.stages.pipeline import Pipeline
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import StageStore

TODAY = {
    "diabetes": {"scaled", "unscaled"},
    "digit-recognizer": {"pixels_encoder"},
    "names": {"characters"},
    "otto": {"product_encoder"},
    "rotten-tomatoes": {"phrase_encoder"},
    "titanic": {"linear_encoder", "mlp_encoder", "trees_encoder"},
}


def by_columns(columns):
    def make():
        return TabularEncoder(columns, scaling="none")

    return make


def small(columns):
    return TabularEncoder(columns, scaling="none")


def size():
    return TabularEncoder(["size"], scaling="none")


def double():
    return TabularEncoder(["double"], scaling="none")


class Maker:
    """A callable object, which has no `__name__`."""

    def __init__(self, *columns):
        self.columns = list(columns)

    def __call__(self):
        return small(self.columns)


class Collecting(BaseEncoder):
    """Its default list is the same object for all of its encoders, and `fit` adds to it."""

    def __init__(self, columns=[]):  # noqa: B006 - what the test is about
        self.columns = columns

    def fit(self, table, target):
        self.columns.append("size")
        return self

    def transform(self, table):
        return {"x_num": table[["size"]].to_numpy(np.float32)}


def member(name, encoder, **settings):
    return TreesMember(name=name, encoder=encoder, trees=TreesSettings(n_estimators=3), **settings)


@pytest.fixture
def toy_of(toy):
    """The toy with these members, of one repeat of its folds."""

    def make(*members, **fields):
        folds = toy.folds.model_copy(update={"n_repeats": 1})
        kept = {name: getattr(toy, name) for name in Competition.model_fields}
        return Competition(**(kept | {"folds": folds, "members": members} | fields))

    return make


@pytest.fixture
def go(tmp_path, narrator):
    """Runs a competition; the run's folder."""

    def run(competition):
        request = RunRequest(source="sample", track=False, root=tmp_path)
        return tmp_path / "runs" / "toy" / runs.run(competition, request, narrator).run

    return run


@pytest.fixture
def staged(tmp_path, narrator):
    """Runs stages 1 to 3 alone; the folder of the stages."""

    def stages(competition):
        raw = download(competition, choose_source("sample", competition), tmp_path / "data")
        store = StageStore(RunLayout(tmp_path / "runs" / "toy" / "one"))
        pipeline = Pipeline(competition, raw, store, narrator, device="cpu")
        with narrator.stages():
            for member in competition.members:
                pipeline.dataset_of(member)
        return tmp_path / "runs" / "toy" / "one" / "stages"

    return stages


def names(competition):
    return {name: known.name for name, known in encoder_identities(competition).items()}


DIFFERENT = {
    "two lambdas": lambda: (lambda: small(["size"]), lambda: small(["double"])),
    "two of one factory": lambda: (by_columns(["size"]), by_columns(["double"])),
    "two partials": lambda: (
        functools.partial(small, ["size"]),
        functools.partial(small, ["double"]),
    ),
    "other keywords of a partial": lambda: (
        functools.partial(TabularEncoder, ["size"], scaling="none"),
        functools.partial(TabularEncoder, ["size"], scaling="quantile"),
    ),
    "two callable objects": lambda: (Maker("size"), Maker("double")),
    "two bound methods": lambda: (Maker("size").__call__, Maker("double").__call__),
}

SAME = {
    "one lambda": lambda: (lambda: small(["size"]),) * 2,
    "a factory called twice": lambda: (by_columns(["size"]), by_columns(["size"])),
    "equal partials": lambda: tuple(functools.partial(small, ["size"]) for _ in range(2)),
    "equal objects": lambda: (Maker("size"), Maker("size")),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_each_member_gets_the_columns_of_its_own_encoder(kind, toy_of, staged):
    first, second = DIFFERENT[kind]()
    competition = toy_of(member("one", first), member("two", second))
    assert names(competition) == {"one": "one-encoder", "two": "two-encoder"}
    stages = staged(competition)
    for name, make in (("one", first), ("two", second)):
        stored = json.loads((stages / f"dataset-{name}-encoder/fold-000-columns.json").read_text())
        assert stored["names"]["x_num"] == list(make().numeric)


@pytest.mark.parametrize("kind", SAME)
def test_members_of_equal_encoders_share_one_stage(kind, toy_of, staged):
    first, second = SAME[kind]()
    folder = staged(toy_of(member("one", first), member("two", second)))
    stages = sorted(path.name for path in folder.glob("dataset-*"))
    assert stages == ["dataset-one-encoder"]


def test_a_run_of_some_members_reuses_the_stages_of_all(toy_of, go):
    shared = functools.partial(small, ["size"])
    competition = toy_of(
        member("one", shared), member("two", lambda: small(["double"])), member("three", shared)
    )
    go(competition)
    some = choose_members(competition, ["three", "two"])
    assert names(some) == {"two": "two-encoder", "three": "one-encoder"}
    manifests = (go(some) / "stages").glob("*/manifest.json")
    kept = {path.parent.name for path in manifests if path.stat().st_nlink > 1}
    assert {"dataset-one-encoder", "dataset-two-encoder", "train-two", "train-three"} <= kept


def test_a_run_predicts_with_the_encoders_of_its_members(toy_of, go):
    competition = toy_of(
        member("one", by_columns(["double"])),
        member("two", by_columns(["size"])),
        member("three", by_columns(["double"])),
    )
    folder = go(competition)
    test = Predictor.open(folder, competition).prepared.test[["size", "kind"]]
    # In today's file the members stand in another order, and another one is the first user.
    members = tuple(reversed(competition.members))
    today = Competition(
        **{name: getattr(competition, name) for name in Competition.model_fields}
        | {"members": members}
    )
    for opened in (competition, today):
        predictor = Predictor.open(folder, opened)
        said = np.zeros((3, len(test), 2))
        steps = type("Steps", (), {"take": lambda _: None})()
        featured = competition.features(test.reset_index(drop=True))
        for place in range(3):
            predictor._predict_members([place], featured, said, steps)
            stage = folder / "stages" / f"train-{competition.members[place].name}"
            np.testing.assert_array_equal(said[place], train.load(stage).test)


def test_two_functions_of_one_name_are_refused_at_once(tmp_path, monkeypatch, toy_of):
    monkeypatch.syspath_prepend(tmp_path)
    makers = []
    for module, column in (("one_place", "size"), ("other_place", "double")):
        text = "from features.encoders.tabular import TabularEncoder\n\n\n"
        text += f"def scaled():\n    return TabularEncoder([{column!r}])\n"
        (tmp_path / f"{module}.py").write_text(text)
        makers.append(importlib.import_module(module).scaled)
    competition = toy_of(member("one", makers[0]), optional_members=(member("two", makers[1]),))
    with pytest.raises(EncoderNameError) as refused:
        check_encoders(competition)
    assert refused.value.exit_code == 2
    for message in ("one_place.scaled", "other_place.scaled", 'encoder_name="two-scaled"', "toy"):
        assert message in str(refused.value)
    named = member("two", makers[1], encoder_name="two-scaled")
    assert names(toy_of(member("one", makers[0]), named)) == {"one": "scaled", "two": "two-scaled"}
    for name in ("one_place", "other_place"):
        del sys.modules[name]


def test_one_name_declared_for_two_encoders_is_refused(toy_of):
    competition = toy_of(
        member("one", size, encoder_name="numbers"), member("two", double, encoder_name="numbers")
    )
    with pytest.raises(EncoderNameError, match=r"members one and two .* of one name.*'numbers'"):
        encoder_identities(competition)


class NoTransform:
    def fit(self, table, target):
        return self


@pytest.mark.parametrize(
    ("made", "found"), [(None, "nothing"), (3, "a int"), (NoTransform(), "a N")]
)
def test_what_makes_no_encoder_is_named_with_what_it_returns(toy_of, made, found):
    def forgets():
        return made

    with pytest.raises(NoEncoderError, match=rf"forgets returns {found}.*has fit and transform"):
        check_encoders(toy_of(member("one", forgets)))


def test_a_person_reads_one_line(toy_of, monkeypatch, tmp_path, capsys):
    broken = toy_of(member("one", size, encoder_name="x"), member("two", double, encoder_name="x"))
    module = type(sys)("pipelines.competitions.broken")
    module.COMPETITION = broken
    monkeypatch.setattr(competitions, "_files", lambda: {"toy": [tmp_path / "toy.py"]})
    monkeypatch.setattr(competitions, "_import", lambda _: module)
    monkeypatch.chdir(tmp_path)
    assert app.main(["run", "toy"]) == 2
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert "expected a name for each" in printed


def test_a_stage_is_safe_as_a_folder(toy_of, staged):
    competition = toy_of(
        member("one", size, encoder_name="a/../b c"), member("two", double, encoder_name="ä" * 300)
    )
    one, two = names(competition).values()
    assert one == "a%2F..%2Fb%20c"
    assert len(f"dataset-{two}".encode()) < 128
    assert (staged(competition) / f"dataset-{one}" / "fold-000.npz").is_file()


def test_other_settings_make_another_run_and_another_stage(toy_of, go):
    first, second = (
        go(toy_of(member("one", by_columns(columns)))) for columns in (["size"], ["double"])
    )
    assert first != second
    marks = {
        json.loads((folder / "stages/dataset-one-encoder/manifest.json").read_text())["fingerprint"]
        for folder in (first, second)
    }
    assert len(marks) == 2


def test_what_fit_does_to_a_shared_default_does_not_change_the_run(toy_of, go):
    before = encoder_identities(toy_of(member("one", Collecting)))["one"]
    folder = go(toy_of(member("one", Collecting)))
    described = json.loads((folder / "run.json").read_text())
    assert described["encoders"] == {"one": "Collecting"}
    assert described["encoder_settings"] == {"Collecting": before.settings}
    assert before.settings["parameters"] == {"columns": []}


@pytest.mark.parametrize("name", TODAY)
def test_shipped_competitions_have_the_stages_they_had(name):
    competition = competitions.load_competition(name)
    assert set(names(competition).values()) == TODAY[name]


def test_a_small_encoder_of_ones_own_needs_two_methods(toy_of, staged):
    class Small:
        def fit(self, table, target):
            self.mean = table["size"].mean()

        def transform(self, table):
            centred = table[["size"]].to_numpy(np.float32) - np.float32(self.mean)
            kinds = pd.Categorical(table["kind"], ["blue", "green", "red"]).codes + 1
            return {"x_num": centred, "x_cat": kinds[:, None].astype(np.int64)}

    stage = staged(toy_of(member("one", Small))) / "dataset-one-encoder"
    columns = json.loads((stage / "fold-000-columns.json").read_text())
    assert columns["names"] == {"x_num": ["x_num 1"], "x_cat": ["x_cat 1"]}
