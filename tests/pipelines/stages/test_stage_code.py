"""What of the project makes a stage run again, and what does not, for each shipped competition."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from models.estimators.sklearn_models import LogisticSettings
from pipelines.competitions import list_competitions, load_competition
from pipelines.stages import stage_code
from pipelines.workspace import competition_code, import_closure, provenance
from pipelines.workspace.competition_code import code_of
from pipelines.workspace.import_closure import closure

NEVER = (
    *("pipelines.commands", "pipelines.compare_losses", "pipelines.figures", "pipelines.report"),
    *("pipelines.kaggle", "pipelines.tracking", "pipelines.tuning", "pipelines.runs"),
    *("pipelines.raw_files", "pipelines.prediction", "pipelines.console", "foldwise"),
    *("pipelines.stages.download", "pipelines.stages.pipeline", "pipelines.workspace.layout"),
)
READING = {"features.tables.schema", "features.tables.text_file", "features.folds"}
PARTS = {
    "preprocess": READING | {"pipelines.stages.preprocess", "submissions.check"},
    "dataset": {"pipelines.stages.dataset", "features.encoders.base", "features.folds"},
    "train": {"pipelines.stages.train", "models.metrics"},
    "ensemble": {"pipelines.stages.ensemble", "models.ensembling.blending", "models.metrics"},
    "submission": {"pipelines.stages.submission", "submissions.build", "submissions.check"},
}
LEFT_OUT = {
    "preprocess": ("features.encoders", "models", "pipelines.members", "pipelines.configuration"),
    "dataset": ("models.networks", "models.training", "models.estimators", "submissions"),
    "train": ("models.ensembling.stacking", "pipelines.stages.preprocess", "submissions"),
    "ensemble": ("models.networks", "models.training", "submissions", "features.tables"),
    "submission": ("models.networks", "models.training", "models.estimators"),
}


@pytest.mark.parametrize("stage", PARTS)
def test_a_stage_holds_its_parts_and_nothing_that_leaves_its_numbers_alone(stage):
    held = closure(f"pipelines.stages.{stage}")
    assert held >= PARTS[stage]
    assert not [name for name in held if name.startswith((*NEVER, *LEFT_OUT[stage]))]


def modules_of(*brought):
    code = code_of(brought)
    return {name for root in code.modules for name in closure(root)} | set(code.files)


@pytest.mark.parametrize("name", list_competitions())
def test_a_competition_brings_its_file_its_encoders_and_its_networks(name):
    competition = load_competition(name)
    own = competition.features.__module__
    assert own in modules_of(competition.features)
    for member in competition.members:
        encoder = modules_of(member.encoder)
        assert {type(member.encoder()).__module__, own} <= encoder
        assert not [m for m in encoder if m.startswith(("models.networks", "pipelines.members"))]


def test_features_count_with_what_they_use_of_the_project():
    rotten_tomatoes = load_competition("rotten-tomatoes")
    used = "features.phrase_nesting"
    assert used in modules_of(rotten_tomatoes.train_test_overlap.is_new)
    assert used not in modules_of(load_competition("titanic").features)


def test_a_member_counts_with_its_network_and_without_the_other_members():
    titanic = load_competition("titanic")
    logistic, mlp, trees = titanic.members
    assert len({stage_code.of_train(member, titanic) for member in (logistic, mlp, trees)}) == 3
    more_seeds = mlp.model_copy(update={"n_seeds": 9})
    assert stage_code.of_train(mlp, titanic) == stage_code.of_train(more_seeds, titanic)


def test_a_stacker_counts_in_the_ensemble_alone():
    competition = load_competition("titanic")
    second_level = competition.second_level.model_copy(
        update={"stackers": {"lines": LogisticSettings()}}
    )
    stacked = competition.model_copy(update={"second_level": second_level})
    assert stage_code.of_preprocess(stacked) == stage_code.of_preprocess(competition)
    assert "models.estimators.sklearn_models" in modules_of(second_level.stackers)


@pytest.fixture
def edited(monkeypatch):
    """Makes the project look as if a module had been edited."""
    find = import_closure.find_source.__wrapped__

    def edit(module):
        def find_edited(name):
            source = find(name)
            is_it = source is not None and name == module
            return replace(source, text=source.text + b"EDITED = 1\n") if is_it else source

        assert find(module) is not None
        for place in (import_closure, competition_code):
            monkeypatch.setattr(place, "find_source", functools.cache(find_edited))

    import_closure.forget()
    yield edit
    monkeypatch.undo()
    import_closure.forget()


def digests():
    titanic = load_competition("titanic")
    mlp = titanic.members[1]
    return {
        "preprocess": stage_code.of_preprocess(titanic),
        "dataset": stage_code.of_dataset(mlp.encoder),
        "train": stage_code.of_train(mlp, titanic),
        "ensemble": stage_code.of_ensemble(titanic),
        "submission": stage_code.of_submission(),
    }


EDITS = {
    "features.tables.text_file": {"preprocess"},
    "features.encoders.tabular": {"dataset"},
    "models.networks.mlp": {"train"},
    "models.ensembling.stacking": {"ensemble"},
    "submissions.build": {"submission"},
    "pipelines.competitions.titanic": {"preprocess", "dataset"},
    "pipelines.compare_losses.measure": set(),
    "pipelines.figures.gallery": set(),
    "pipelines.kaggle.client": set(),
    "pipelines.prediction.predictor": set(),
    "pipelines.raw_files.archives": set(),
    "pipelines.report.gather": set(),
    "pipelines.runs.request": set(),
    "pipelines.runs.run": set(),
    "pipelines.stages.pipeline": set(),
    "pipelines.tracking.log": set(),
    "pipelines.tuning.tune": set(),
    "pipelines.workspace.layout": set(),
}


@pytest.mark.parametrize("module", EDITS)
def test_an_edit_makes_those_stages_run_again_that_depend_on_it(edited, module):
    before = digests()
    edited(module)
    import_closure.closure.cache_clear()
    after = digests()
    again = {stage for stage in before if before[stage] != after[stage]}
    assert again == EDITS[module]


def test_another_library_version_makes_every_stage_run_again(monkeypatch):
    competition = load_competition("titanic")
    before = stage_code.of_preprocess(competition)
    newer = provenance.versions() | {"pandas": "99"}
    monkeypatch.setattr(provenance, "versions", lambda: newer)
    assert stage_code.of_preprocess(competition) != before
