import pytest
from torch import nn

from models.architectures.base import Architecture
from pipelines.configuration.assignments import (
    ConfigurationError,
    as_stored,
    assign,
    changes,
    choose_members,
    configure,
    parse_assignments,
    resolved,
    settings_of,
)
from pipelines.workspace.files import fingerprint


def test_a_full_key_changes_one_member_only(toy):
    changed = settings_of(assign(toy, {"mlp.train.lr": 0.5}))
    assert changed["mlp.train.lr"] == 0.5
    assert changed["linear.train.lr"] == settings_of(toy)["linear.train.lr"] != 0.5


def test_a_short_key_changes_every_member_that_has_it(toy):
    changed = settings_of(assign(toy, {"train.lr": 0.5}))
    assert (changed["mlp.train.lr"], changed["linear.train.lr"]) == (0.5, 0.5)
    assert "trees.train.lr" not in changed


def test_the_options_are_settings_and_set_overrides_them(toy):
    made = settings_of(configure(toy, folds=4, seeds=3, sets=["mlp.n_seeds=7"]))
    assert (made["folds.n_folds"], made["linear.n_seeds"], made["mlp.n_seeds"]) == (4, 3, 7)


def test_the_given_competition_is_left_as_it_was(toy):
    before = resolved(toy)
    assign(toy, {"train.lr": 0.5, "folds.n_folds": 7})
    assert resolved(toy) == before


def test_values_are_json_else_text():
    texts = ["a=1e-3", "b=[64, 32]", "c=cosine", "d=null", "e=x=y"]
    values = {"a": 1e-3, "b": [64, 32], "c": "cosine", "d": None, "e": "x=y"}
    assert parse_assignments(texts) == values


def test_a_text_without_a_value_says_what_to_type():
    with pytest.raises(ConfigurationError, match=r"found 'train.lr'.*--set train.lr=1e-3"):
        parse_assignments(["train.lr"])


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("mlp.train.learning", "mlp.train.lr"),
        ("mlp.train.epoch", "mlp.train.epochs"),
        ("train.weight_deca", "train.weight_decay"),
        ("fold.n_folds", "folds.n_folds"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(toy, key, suggestion):
    with pytest.raises(
        ConfigurationError, match=f"unknown setting '{key}': did you mean"
    ) as caught:
        assign(toy, {key: 1})
    assert suggestion.split(".")[-1][:3] in str(caught.value).split("did you mean")[1]


def test_all_faults_are_reported_at_once_on_one_line(toy):
    with pytest.raises(ConfigurationError) as caught:
        assign(toy, {"folds.n_fold": 3, "mlp.train.lr": -1, "mlp.train.schedule": "wild"})
    message = str(caught.value)
    assert "folds.n_fold" in message
    assert "mlp.train.lr cannot be -1: " in message
    assert "mlp.train.schedule cannot be 'wild'" in message
    assert "foldwise show toy" in message
    assert "\n" not in message


def test_members_are_kept_in_the_competitions_order(toy):
    kept = choose_members(toy, ["trees", "linear"])
    assert [member.name for member in kept.members] == ["linear", "trees"]
    assert choose_members(toy, []) == toy


def test_members_with_a_plus_come_beside_the_files_own(toy):
    *own, further = toy.members
    competition = toy.model_copy(update={"members": tuple(own), "optional_members": (further,)})
    names = [member.name for member in toy.members]
    chosen = choose_members(competition, [f"+{further.name}"])
    assert [member.name for member in chosen.members] == names
    (alone,) = choose_members(competition, [further.name]).members
    assert alone.name == further.name


def test_an_unknown_member_gets_a_suggestion(toy):
    with pytest.raises(ConfigurationError, match=r"unknown member of toy 'tree': .*'trees'"):
        choose_members(toy, ["tree"])


def test_the_configuration_is_reported_apart_by_its_fingerprint(toy):
    mark = fingerprint(resolved(toy))
    assert fingerprint(resolved(assign(toy, {"mlp.train.lr": 0.5}))) != mark
    assert fingerprint(resolved(assign(toy, {}))) == mark


class OwnSettings(Architecture):
    """A network that a competition's file brings along."""

    width: int = 3

    def build(self, shape, n_outputs):
        return nn.Linear(shape.n_num, n_outputs)


def test_a_network_of_one_s_own_is_set_and_reported_apart_like_the_others(toy):
    own = toy.members[0].model_copy(update={"model": OwnSettings()})
    brought = toy.model_copy(update={"members": (own,)})
    changed = assign(brought, {"linear.model.width": 5})
    assert changed.members[0].model == OwnSettings(width=5)
    assert resolved(brought) != resolved(changed)


def test_a_run_stored_under_former_field_names_is_opened(toy):
    """A run keeps members, folds and blend; other fields are those that the file has now."""
    stored = resolved(assign(choose_members(toy, ["trees"]), {"folds.n_folds": 4}))
    del stored["file_format"], stored["second_level"], stored["extra_metrics"]
    former = {"separator": ";", "stackers": {"kin": {}}, "also": ["auc"], "numbered": True}
    opened = as_stored(toy, stored | former)
    assert [member.name for member in opened.members] == ["trees"]
    assert opened.folds.n_folds == 4
    assert (opened.file_format, opened.extra_metrics) == (toy.file_format, toy.extra_metrics)


@pytest.mark.parametrize(
    ("typed", "hidden"),
    [("32,16", (32, 16)), ("[32,16]", (32, 16)), ("32", (32,)), ("[32]", (32,))],
)
def test_a_list_needs_no_brackets(toy, typed, hidden):
    changed = configure(toy, sets=[f"mlp.model.hidden={typed}"])
    assert settings_of(changed)["mlp.model.hidden"] == hidden


def test_a_text_with_a_comma_stays_a_text():
    assert parse_assignments(["folds.group=a,b", "x=1", "y=1e-3", 'z="1,2"']) == {
        "folds.group": "a,b",
        "x": 1,
        "y": 0.001,
        "z": "1,2",
    }


def test_the_last_word_of_a_key_changes_every_member_that_has_it(toy):
    changed = settings_of(configure(toy, sets=["balance=0.5", "num_leaves=5"]))
    assert changed["mlp.train.balance"] == changed["linear.train.balance"] == 0.5
    assert changed["trees.trees.num_leaves"] == 5
    with pytest.raises(ConfigurationError, match="unknown setting 'n_folds': did you mean"):
        configure(toy, sets=["n_folds=5"])


def test_a_wrong_value_is_named_as_it_was_typed(toy):
    with pytest.raises(ConfigurationError, match=r"mlp\.model\.hidden cannot be 0\.5: "):
        configure(toy, sets=["mlp.model.hidden=0.5"])


def test_changes_are_the_settings_that_differ_from_the_file_s(toy):
    changed = configure(toy, members=["mlp"], folds=4, sets=["train.lr=0.5", "epochs=8"])
    assert changes(changed, toy) == {"folds.n_folds": 4, "mlp.train.lr": 0.5}
    assert changes(toy, toy) == {}
