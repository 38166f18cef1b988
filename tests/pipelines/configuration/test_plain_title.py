"""Titles read from the text of a file."""

import pytest

from pipelines import competitions
from pipelines.configuration.plain_title import plain_title


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("COMPETITION = Competition(name='x', title='A title')", "A title"),
        ("COMPETITION: Competition = make(name='x', title='A title')", "A title"),
        ("def f(:", None),
        ("COMPETITION = 3", None),
        ("x = 1", None),
        ("COMPETITION = Competition(name='y', title='Another name')", None),
        ("COMPETITION = Competition(name='x', title=TITLE)", None),
        ("COMPETITION = Competition(name='x')", None),
        (b"title = '\xff'", None),
    ],
)
def test_a_title_in_plain_words_is_read_and_anything_else_is_not(tmp_path, code, title):
    path = tmp_path / "x.py"
    path.write_bytes(code if isinstance(code, bytes) else code.encode())
    assert plain_title(path, "x") == title


def test_the_shipped_files_say_their_titles_as_running_them_does():
    for name, title in competitions.titles():
        assert title == competitions.load_competition(name).title


def test_a_file_that_computes_its_title_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_COMPETITIONS", str(tmp_path))
    (tmp_path / "computed.py").write_text("COMPETITION = Competition(title='a' + 'b')")
    (title,) = [title for name, title in competitions.titles() if name == "computed"]
    assert isinstance(title, competitions.CompetitionFileError)
    assert "NameError" in str(title)
