"""The registry: competitions by name, and one line for what is wrong with a competition's file."""

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
    """Adds a competition's file in a folder of one's own."""
    monkeypatch.setenv("FOLDWISE_COMPETITIONS", str(tmp_path))

    def add(code, name="faulty_one"):
        (tmp_path / f"{name}.py").write_text(code)
        return tmp_path / f"{name}.py"

    return add


GOOD = """
from foldwise import Column, Competition, FoldPlan, TabularEncoder, TreesMember

def encoder():
    return TabularEncoder(["a"], scaling="none")

COMPETITION = Competition(
    name="my-own", title="Mine", id="id", target="y", metric="rmse", folds=FoldPlan(),
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "s.csv"},
    columns=(Column(name="a", kind="float"),),
    members=(TreesMember(name="trees", encoder=encoder),),
)
"""


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_in_a_file_is_one_line(code, write, capsys):
    path = write(code)
    assert app.main(["show", "faulty-one"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"foldwise: {path}")
    assert FAULTS[code] in line


def test_a_broken_file_does_not_hide_the_others(write, capsys):
    path = write("x = 1\ndef broken(:")
    write(GOOD, "my_own")
    assert app.main(["list"]) == 0
    out, err = capsys.readouterr()
    assert "my-own              Mine" in out.splitlines()
    assert "titanic" in out
    (line,) = err.splitlines()
    assert line.startswith(f"foldwise: {path}, line 2: SyntaxError")


def test_an_option_names_a_folder(write, capsys, monkeypatch, tmp_path):
    write(GOOD, "my_own")
    monkeypatch.setenv("FOLDWISE_COMPETITIONS", "")
    assert app.main(["show", "my-own"]) == 2
    assert app.main(["show", "my-own", "--competitions", str(tmp_path)]) == 0
    assert "rmse" in capsys.readouterr().out
    assert app.main(["list", f"--competitions={tmp_path / 'absent'}"]) == 2


def test_the_folder_where_one_works_is_looked_at(tmp_path, monkeypatch):
    (tmp_path / "competitions").mkdir()
    (tmp_path / "competitions" / "my_own.py").write_text(GOOD.replace("rmse", "mae"))
    monkeypatch.chdir(tmp_path)
    assert competitions.load_competition("my-own").metric.name == "mae"


def test_a_name_unlike_the_file_s_and_one_that_two_files_have_are_errors(write):
    write(GOOD, "other")
    with pytest.raises(competitions.CompetitionFileError, match=r"found name='my-own'.*'other'"):
        competitions.load_competition("other")
    write(GOOD.replace("my-own", "titanic"), "titanic")
    with pytest.raises(competitions.CompetitionFileError, match=r"titanic\.py and .*titanic\.py"):
        competitions.load_competition("titanic")


def test_files_beside_it_can_be_imported(write):
    write("def double(table):\n    return table\n", "helpers_of_mine")
    write(f"from helpers_of_mine import double\n{GOOD}", "my_own")
    assert competitions.load_competition("my-own").title == "Mine"
    assert "helpers-of-mine" not in competitions.list_competitions()


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
