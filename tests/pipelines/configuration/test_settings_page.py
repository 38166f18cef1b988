"""`foldwise show`: every setting has a description, whole at any width."""

import pytest

from pipelines import competitions
from pipelines.configuration.assignments import choose_members, settings_of
from pipelines.configuration.settings_page import describe, descriptions_of


@pytest.mark.parametrize("name", competitions.list_competitions())
def test_every_setting_is_described(name):
    competition = competitions.load_competition(name)
    everyone = [m.name for m in (*competition.members, *competition.optional_members)]
    whole = choose_members(competition, everyone)
    meanings = descriptions_of(whole)
    assert [key for key in settings_of(whole) if not meanings[key]] == []


def test_every_setting_is_listed(toy):
    page = describe(toy, 80)
    assert all(f"{key} = " in page for key in settings_of(toy))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_description_too_long_for_its_line_is_wrapped_below(toy, width):
    page = describe(toy, width).splitlines()
    assert max(len(line) for line in page) <= width
    assert "mlp.model.hidden = [8]                        width of each hidden layer" in page
    at = page.index("mlp.train.patience = null")
    assert page[at + 1].startswith("    stop a replica after this many evaluations")
    text = " ".join(page)
    assert "set FoldData.stop_rows to avoid that" in " ".join(text.split())


def test_an_attribute_s_docstring_is_its_description(toy):
    vectors = descriptions_of(toy)["mlp.vectors"]
    assert vectors == "a file of word vectors that the embedding starts from"
    assert descriptions_of(toy)["trees.inputs"].endswith(
        "empty for the encoder's arrays as they are"
    )
