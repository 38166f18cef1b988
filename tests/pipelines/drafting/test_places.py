"""What a drafted competition is called, and where its file goes."""

from pathlib import Path

import pytest

from pipelines import competitions
from pipelines.configuration.competition import Kaggle
from pipelines.drafting.places import DraftPlaceError, find_place, read_slug


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("typed", "slug", "kind"),
    [
        ("playground-series-s3e1", "playground-series-s3e1", "competition"),
        ("https://www.kaggle.com/competitions/titanic", "titanic", "competition"),
        ("https://kaggle.com/c/titanic?x=1", "titanic", "competition"),
        ("uciml/pima-indians", "uciml/pima-indians", "dataset"),
    ],
)
def test_a_slug_or_address_is_read(typed, slug, kind):
    assert read_slug(typed) == Kaggle(slug=slug, kind=kind)


@pytest.mark.parametrize("typed", ["bad slug!", "", "a/b/c"])
def test_what_is_no_slug_is_refused(typed):
    with pytest.raises(DraftPlaceError, match="expected the last part"):
        read_slug(typed)


@pytest.mark.parametrize(
    ("name", "file"), [(None, "made_up.py"), ("Mine", "mine.py"), ("my-own", "my_own.py")]
)
def test_outside_a_checkout_the_file_goes_to_competitions(name, file):
    place = find_place(Kaggle(slug="made-up"), name, force=False)
    assert place.path == Path("competitions") / file
    assert not place.is_shipped


def test_in_a_checkout_the_file_goes_beside_the_others(monkeypatch):
    monkeypatch.chdir(competitions.SHIPPED.parents[1])
    place = find_place(Kaggle(slug="made-up"), None, force=False)
    assert place.path == Path("pipelines/competitions/made_up.py")
    assert place.is_shipped


def test_a_folder_that_was_typed_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv(competitions.FURTHER_FOLDERS, str(tmp_path / "mine"))
    assert find_place(Kaggle(slug="made-up"), None, force=False).path.parent == tmp_path / "mine"


def test_a_file_that_is_there_is_replaced_by_force_alone():
    path = Path("competitions") / "made_up.py"
    path.parent.mkdir()
    path.write_text("COMPETITION = None\n")
    with pytest.raises(DraftPlaceError, match="add --force to replace it, or --name"):
        find_place(Kaggle(slug="made-up"), None, force=False)
    assert find_place(Kaggle(slug="made-up"), None, force=True).path == path


@pytest.mark.parametrize("force", [False, True])
def test_the_name_of_a_shipped_competition_is_taken(force):
    with pytest.raises(DraftPlaceError, match="there is a competition 'titanic' already"):
        find_place(Kaggle(slug="titanic"), None, force=force)


@pytest.mark.parametrize("name", ["1x", "a b", "é", "../x"])
def test_a_name_that_cannot_be_typed_is_refused(name):
    with pytest.raises(DraftPlaceError, match="expected letters, digits and '-'"):
        find_place(Kaggle(slug="made-up"), name, force=False)
