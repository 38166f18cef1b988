"""The registry: competitions by name, and one line for what is wrong with a competition's file."""

import sys

import pytest

from pipelines import competitions
from pipelines.commands import app

FAULTS = {
    "import a_package_that_is_not_there": "ModuleNotFoundError: No module named 'a_package_that",
    "def broken(:": "SyntaxError: ",
    "from foldwise import Competitor": "cannot import name 'Competitor'",
    "COMPETITION = Competitio()": "NameError: name 'Competitio' is not defined",
    "from foldwise import Kaggle; Kaggle(slugg='x')": "Kaggle: slug: Field required; slugg: unk",
    "COMPETITION = 3": "found COMPETITION = 3, expected a Competition",
    "": "found COMPETITION = None, expected a Competition",
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Adds a competition's file in another folder."""

    def add(code):
        (tmp_path / "faulty_one.py").write_text(code)
        monkeypatch.setattr(competitions, "__path__", [*competitions.__path__, str(tmp_path)])
        monkeypatch.delitem(sys.modules, "pipelines.competitions.faulty_one", raising=False)

    yield add
    sys.modules.pop("pipelines.competitions.faulty_one", None)


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_in_a_file_is_one_line(code, write, capsys):
    write(code)
    assert app.main(["show", "faulty-one"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("foldwise: pipelines/competitions/faulty_one.py: ")
    assert FAULTS[code] in line


def test_debug_gives_the_traceback(write):
    write("import a_package_that_is_not_there")
    with pytest.raises(competitions.CompetitionFileError) as caught:
        app.main(["show", "faulty-one", "--debug"])
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_all_files_are_listed_under_their_names():
    names = competitions.list_competitions()
    assert {"titanic", "otto", "digit-recognizer"} <= set(names)
    assert names == sorted(names)
    assert all(competitions.load_competition(name).name == name for name in names)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(competitions.UnknownCompetitionError, match="did you mean 'otto'"):
        competitions.load_competition("oto")
