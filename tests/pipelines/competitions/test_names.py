"""Names: the course's files, Faker's surnames, and a small run that tells countries."""

import gzip
import importlib.util
import zipfile

import numpy as np
import pandas as pd
import pytest

from features.tables.text_file import TableError
from pipelines.commands import app
from pipelines.competitions.names import COMPETITION, characters, mark_ends
from pipelines.configuration.assignments import configure
from pipelines.raw_files.conversions.names import COUNTRIES
from pipelines.raw_files.samples import names as sample
from pipelines.raw_files.samples.packages import SampleError
from pipelines.raw_files.samples.romanised import romanise
from pipelines.raw_files.sources import Source, choose_source
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.stages.download import download

SMALL = (
    *("gru.train.epochs=2", "gru.model.hidden=16", "gru.train.batch_size=256"),
    *("n-grams.estimator.longest=2", "n-grams.estimator.max_iter=6"),
)
TRAIN = b'"Adsit","Czech"\r\n"O\'Neil, J","Irish"\r\n"Bach","German"\r\n'
TEST = b'"Abl","Czech"\r\n"Bach","German"\r\n'


@pytest.fixture(scope="module")
def dealt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    sample.write(folder)
    return {path.name: pd.read_csv(path, keep_default_na=False) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, narrator):
    root = tmp_path_factory.mktemp("workspace")
    competition = configure(COMPETITION, folds=2, sets=SMALL)
    asked = RunRequest(source="sample", track=False, root=root)
    return root, runs.run(competition, asked, narrator)


def course_archive(path, train=TRAIN, test=TEST):
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("names_train.csv.gz", gzip.compress(train, mtime=0))
        zipped.writestr("names_test.csv.gz", gzip.compress(test, mtime=0))
    return Source("path", path, "")


def test_the_courses_archive_gives_numbered_rows_and_holds_the_labels_back(tmp_path):
    raw = download(COMPETITION, course_archive(tmp_path / "names.zip"), tmp_path / "data")
    train = pd.read_csv(raw.files["train.csv"].path)
    assert train.to_dict("list") == {
        "Id": [1, 2, 3],
        "Surname": ["Adsit", "O'Neil, J", "Bach"],
        "Country": ["Czech", "Irish", "German"],
    }
    assert list(pd.read_csv(raw.files["test.csv"].path).columns) == ["Id", "Surname"]
    assert raw.holdout is not None
    assert pd.read_csv(raw.holdout).to_dict("list") == {
        "Id": [4, 5],
        "Country": ["Czech", "German"],
    }


def test_a_country_that_is_none_is_reported(tmp_path):
    source = course_archive(tmp_path / "names.zip", test=b'"Abl","Atlantis"\r\n')
    with pytest.raises(TableError, match=r"line 1: found 'Atlantis', expected one of Arabic"):
        download(COMPETITION, source, tmp_path / "data")


def test_the_sample_is_dealt_by_country_from_fakers_lists(dealt):
    labels = [dealt[name]["Country"] for name in ("train.csv", "holdout.csv")]
    counts = pd.concat([own.value_counts() for own in labels], axis=1).to_numpy()
    assert set(labels[0]) == set(COUNTRIES) - {"Scottish"}
    np.testing.assert_allclose(counts[:, 1] / counts.sum(axis=1), 1 / 3, atol=0.05)
    surnames = pd.concat([dealt[name]["Surname"] for name in ("train.csv", "test.csv")])
    assert surnames.str.fullmatch(r"[A-Za-z' -]+").all()


def test_the_sample_is_the_same_again(dealt, tmp_path):
    sample.write(tmp_path)
    for name, table in dealt.items():
        assert pd.read_csv(tmp_path / name, keep_default_na=False).equals(table)
    assert sample.fingerprint().startswith("Faker ")


def test_without_faker_it_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SampleError, match=r"pip install 'foldwise\[samples\]'"):
        sample.write(tmp_path)


@pytest.mark.parametrize(
    ("name", "latin"),
    [
        *(("Παπαδοπούλου", "Papadopoulou"), ("Толстой", "Tolstoy"), ("Щукин", "Shchukin")),
        *(("강", "Kang"), ("Nguyễn", "Nguyen"), ("Kołodziej", "Kolodziej"), ("Weiß", "Weiss")),
        *(("O'Brien", "O'Brien"), ("Garcia-Lopez", "Garcia-Lopez")),
    ],
)
def test_names_of_every_alphabet_become_latin(name, latin):
    assert romanise(name) == latin


def test_ends_are_marked_and_every_fold_is_as_wide():
    table = mark_ends(pd.DataFrame({"Surname": ["Bach", "Li"]}))
    assert table["marked"].tolist() == ["^bach$", "^li$"]
    widths = {characters().fit(table[:n]).transform(table)["tokens"].shape for n in (1, 2)}
    assert len(widths) == 1


def test_a_run_tells_accuracy_and_macro_f1_on_the_names_held_back(finished):
    root, summary = finished
    csv = pd.read_csv(root / summary.submission)
    assert list(csv.columns) == ["Id", "Country"]
    assert set(csv["Country"]) <= set(COUNTRIES)
    assert summary.local_score is not None and summary.local_score > 0.45
    assert [line.metric for line in summary.also] == ["macro_f1"]
    assert any(path.endswith("confusion.png") for path in summary.figures)


def test_a_typed_surname_gets_a_country(finished, monkeypatch, capsys):
    root, _ = finished
    monkeypatch.chdir(root)
    assert app.main(["predict", "names", "--text", "Papadopoulos", "--text", "Watanabe"]) == 0
    assert "Greek" in capsys.readouterr().out


def test_without_a_page_on_kaggle_the_sample_is_taken_and_kaggle_is_refused(capsys):
    assert "Kaggle does not have it" in choose_source("auto", COMPETITION).said
    assert app.main(["run", "names", "--source", "kaggle"]) == 2
    assert "names is not on Kaggle" in capsys.readouterr().err
