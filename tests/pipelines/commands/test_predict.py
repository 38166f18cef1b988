"""`foldwise predict` as a person types it: what is printed, the exit code, what is written."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.encoders.text import TextEncoder
from features.folds import FoldPlan
from features.tables.schema import Column
from models.architectures.recurrent import RecurrentSettings
from models.estimators.ngrams import NgramSettings
from models.estimators.trees import TreesSettings
from models.training.settings import TrainSettings
from pipelines import competitions
from pipelines.commands import app
from pipelines.configuration.competition import (
    Competition,
    FileFormat,
    OfflineSample,
    SecondLevel,
    TrainTestOverlap,
)
from pipelines.members.estimator import EstimatorMember
from pipelines.members.network import NetworkMember
from pipelines.prediction.predictor import Predictor
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest

TEST_FILE = "test.csv"
WORDS = {"good": 1, "bad": 0, "fine": 1, "dull": 0}


@pytest.fixture
def finished(two_runs, titanic_files, monkeypatch):
    """A workspace with two finished runs; nothing in it is changed. Gives the newest one's id."""
    monkeypatch.chdir(two_runs)
    return max(path.name for path in Path("runs/titanic").glob("2*"))


def few_rows(titanic_files, path, change=lambda table: table):
    table = pd.read_csv(titanic_files / TEST_FILE, dtype={"Age": "str", "Fare": "str"}).head(5)
    change(table).to_csv(path, index=False)
    return path


def test_the_test_file_gives_the_submission_itself(finished, titanic_files, capsys):
    assert app.main(["predict", "titanic", "--csv", str(titanic_files / TEST_FILE)]) == 0
    printed = capsys.readouterr()
    assert printed.out == Path(f"submissions/titanic/{finished}.csv").read_text()
    assert finished in printed.err
    assert "accuracy" in printed.err


def test_another_run_can_be_named_and_a_file_be_written(finished, titanic_files, capsys, tmp_path):
    (older,) = {path.name for path in Path("runs/titanic").glob("2*")} - {finished}
    typed = ["predict", "titanic", "--csv", str(titanic_files / TEST_FILE)]
    assert app.main([*typed, "--run", older, "--out", str(tmp_path / "mine.csv")]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "418 predictions in" in printed.err
    written = (tmp_path / "mine.csv").read_text()
    assert written == Path(f"submissions/titanic/{older}.csv").read_text()


def test_ids_are_optional_and_probabilities_can_be_had(finished, titanic_files, tmp_path, capsys):
    few = few_rows(titanic_files, tmp_path / "few.csv", lambda t: t.drop(columns="PassengerId"))
    assert app.main(["predict", "titanic", "--csv", str(few), "--probabilities"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "row,Survived,0,1"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3", "4", "5"]
    for line in lines[1:]:
        _, label, died, survived = map(float, line.split(","))
        assert died + survived == pytest.approx(1)
        assert label == (survived > died)


def test_json_is_one_line_with_every_probability(finished, titanic_files, tmp_path, capsys):
    few = few_rows(titanic_files, tmp_path / "few.csv")
    assert app.main(["predict", "titanic", "--csv", str(few), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    message = json.loads(line)
    assert message["run"] == finished
    assert [row["PassengerId"] for row in message["predictions"]] == [
        "892",
        "893",
        "894",
        "895",
        "896",
    ]
    for row in message["predictions"]:
        assert row["name"] in ("died", "survived")
        assert row["probabilities"][str(row["label"])] >= 0.5


BAD = {
    "a missing column": (lambda t: t.drop(columns="Fare"), "no column 'Fare'"),
    "a wrong type": (lambda t: t.assign(SibSp="one"), "column 'SibSp', line 2"),
    "a value that is not allowed": (lambda t: t.assign(Sex="unknown"), "one of male, female"),
    "a doubled id": (lambda t: t.assign(PassengerId=7), "7 in rows 1, 2, 3"),
    "no row": (lambda t: t.head(0), "no row below the header"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_rows_get_one_line_and_code_3(finished, titanic_files, tmp_path, capsys, fault):
    change, message = BAD[fault]
    bad = few_rows(titanic_files, tmp_path / "bad.csv", change)
    assert app.main(["predict", "titanic", "--csv", str(bad), "--out", str(tmp_path / "o")]) == 3
    line = one_line(capsys)
    assert "bad.csv" in line
    assert message in line
    assert not (tmp_path / "o").exists()


def one_line(capsys):
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("foldwise: ")
    assert printed.out == ""
    return line


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["titanic"], "give either --text or --csv, found neither"),
        (["titanic", "--text", "a", "--csv", "few.csv"], "found both"),
        (["titanic", "--text", "a man"], "not a competition of texts"),
        (["titanic", "--csv", "{few}", "--run", "nope"], "no finished run 'nope'"),
        (["otto", "--csv", "{few}"], "otto has no finished run; type foldwise run otto"),
        (["titanik", "--csv", "{few}"], "did you mean 'titanic'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_gets_one_line_and_code_2(
    finished, titanic_files, tmp_path, capsys, typed, message
):
    few = few_rows(titanic_files, tmp_path / "few.csv")
    assert app.main(["predict", *(word.format(few=few) for word in typed)]) == 2
    assert message in one_line(capsys)


def test_a_file_that_is_not_there_gets_code_3(finished, capsys):
    assert app.main(["predict", "titanic", "--csv", "nowhere.csv"]) == 3
    assert "nowhere.csv" in one_line(capsys)


def test_an_unfinished_run_and_no_run_are_reported(workspace, titanic_files, tmp_path, capsys):
    few = few_rows(titanic_files, tmp_path / "few.csv")
    newest, older = sorted(Path("runs/titanic").glob("2*"), reverse=True)
    (newest / "summary.json").unlink()
    assert app.main(["predict", "titanic", "--csv", str(few), "--run", newest.name]) == 2
    assert f"--run {newest.name} to finish it" in one_line(capsys)
    (older / "summary.json").unlink()
    assert app.main(["predict", "titanic", "--csv", str(few)]) == 2
    assert "has no finished run; type foldwise run titanic" in one_line(capsys)


@pytest.mark.parametrize("stage", ["preprocess", "ensemble", "train-*"])
def test_a_stage_that_is_gone_is_one_line(workspace, titanic_files, tmp_path, capsys, stage):
    few = few_rows(titanic_files, tmp_path / "few.csv")
    newest = max(Path("runs/titanic").glob("2*"))
    gone = next((newest / "stages").glob(stage))
    shutil.rmtree(gone)
    assert app.main(["predict", "titanic", "--csv", str(few)]) == 3
    line = one_line(capsys)
    assert str(gone) in line
    assert "type the command that made the run, foldwise run titanic, again" in line


def words_encoder():
    return TextEncoder("Phrase")


def write_texts(folder):
    """Sentences of two phrases: one with a word that tells its mood, and one without."""
    rng = np.random.default_rng(0)
    words = np.repeat(rng.choice(list(WORDS), 80), 2)
    table = pd.DataFrame({"Id": range(160), "Sentence": np.arange(160) // 2})
    message = [f"a {word} film" for word in words]
    table["Phrase"] = np.where(np.arange(160) % 2, "a film", message)
    label = pd.Series([WORDS[word] for word in words])
    table.assign(Mood=label).head(120).to_csv(folder / "train.tsv", index=False, sep="\t")
    table.tail(40).to_csv(folder / "test.tsv", index=False, sep="\t")
    answer = pd.DataFrame({"Id": range(120, 160), "Mood": 0})
    answer.to_csv(folder / "sample.csv", index=False)
    answer.assign(Mood=label.tail(40).to_numpy()).to_csv(folder / "holdout.csv", index=False)


def of_the_sentence(table, predicted):
    """What is predicted of the surest phrase of the same sentence, `(n_rows, 1)`."""
    positive = pd.Series(predicted[:, 1] - 0.5).groupby(table["Sentence"].to_numpy())
    surest = positive.transform(lambda group: group.loc[group.abs().idxmax()])
    return surest.to_numpy()[:, None]


@pytest.fixture(scope="module")
def moods():
    """A small competition of texts, whose rows see each other, like the sentiment ones."""
    recipe = TrainSettings(epochs=12, batch_size=16, lr=0.05, length_pool=4)
    network = RecurrentSettings(embedding_size=4, hidden=4, dropout=0.0)
    return Competition(
        name="moods",
        title="Moods",
        files={"train": "train.tsv", "test": "test.tsv", "sample_submission": "sample.csv"},
        file_format=FileFormat(separator="\t", quoting=False),
        id="Id",
        target="Mood",
        classes=(0, 1),
        class_names=("sad", "glad"),
        metric="accuracy",
        columns=(
            Column(name="Sentence", kind="int"),
            Column(name="Phrase", kind="text", keep_empty=True),
        ),
        features=lambda table: table,
        form="labels",
        folds=FoldPlan(n_folds=2, group="Sentence"),
        members=(
            NetworkMember(name="gru", encoder=words_encoder, model=network, train=recipe),
            EstimatorMember(
                name="tf-idf",
                encoder=words_encoder,
                inputs={"x_num": ("tokens",)},
                estimator=NgramSettings(),
            ),
        ),
        second_level=SecondLevel(
            stackers={
                "trees": TreesSettings(n_estimators=20, learning_rate=0.3, min_child_samples=5)
            },
            context_features=of_the_sentence,
        ),
        train_test_overlap=TrainTestOverlap(
            "Phrase", is_new=lambda table, _: (table["Phrase"] == "a film").to_numpy()
        ),
        sample=OfflineSample(
            write=write_texts, origin="a grammar", synthetic=True, fingerprint=lambda: "1"
        ),
    )


@pytest.fixture(scope="module")
def moods_root(moods, tmp_path_factory, narrator):
    root = tmp_path_factory.mktemp("moods")
    runs.run(moods, RunRequest(source="sample", root=root, track=False), narrator)
    return root


@pytest.fixture
def texts(moods, moods_root, monkeypatch):
    """The workspace of a finished run of texts, and its competition in the registry."""
    monkeypatch.chdir(moods_root)
    monkeypatch.setattr(competitions, "load_competition", {"moods": moods}.__getitem__)
    monkeypatch.setattr(competitions, "check_name", {"moods"}.__contains__)
    return moods_root


def test_a_text_gets_its_label_its_name_and_bars(texts, capsys):
    typed = ["predict", "moods", "--text", "a good film", "--text", "what a dull [b]day[/b]"]
    assert app.main(typed) == 0
    printed = capsys.readouterr()
    assert "made-up rows" in printed.err
    lines = printed.out.splitlines()
    assert lines[0].split() == ["text", "label", "name", "probability"]
    assert "a good film" in lines[1]
    assert any("[b]day[/b]" in line for line in lines)
    shares = dict(re.findall(r"(sad|glad) .*?([\d.]+)%", lines[1] + lines[2]))
    assert float(shares["glad"]) > 80
    assert float(shares["glad"]) + float(shares["sad"]) == pytest.approx(100, abs=0.2)
    glad = next(line for line in lines[1:3] if "glad" in line)
    assert glad.count("█") >= 16


def test_texts_as_json_and_as_a_file(texts, capsys, tmp_path):
    out = tmp_path / "moods.csv"
    typed = ["predict", "moods", "--text", "a dull film", "--text", "good", "--out", str(out)]
    assert app.main([*typed, "--json"]) == 0
    message = json.loads(capsys.readouterr().out)
    assert [row["text"] for row in message["predictions"]] == ["a dull film", "good"]
    assert [row["name"] for row in message["predictions"]] == ["sad", "glad"]
    assert out.read_text() == "row,Mood\n1,0\n2,1\n"
    assert any("made-up" in warning for warning in message["warnings"])


@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_file_of_texts_needs_neither_ids_nor_groups(texts, capsys, tmp_path, separator):
    table = pd.DataFrame({"Phrase": ["a dull film", "a good film"]})
    table.to_csv(tmp_path / "texts.csv", index=False, sep=separator)
    assert app.main(["predict", "moods", "--csv", str(tmp_path / "texts.csv")]) == 0
    assert capsys.readouterr().out == "row,Mood\n1,0\n2,1\n"


def test_the_test_file_gives_the_submission_where_rows_see_each_other(texts, capsys):
    (test,) = texts.glob("data/moods/*/test.tsv")
    assert app.main(["predict", "moods", "--csv", str(test)]) == 0
    printed = capsys.readouterr()
    (submission,) = texts.glob("submissions/moods/*.csv")
    assert printed.out == submission.read_text()
    assert "20 of 40 rows have a training row's label" in printed.err
    (summary,) = texts.glob("runs/moods/*/summary.json")
    assert json.loads(summary.read_text())["way"] != "blend"


def test_changed_code_is_held_against_whole_sentences(texts, moods):
    (folder,) = texts.glob("runs/moods/2*")
    predictor = Predictor.open(folder, moods)
    predictor.run.described["code"] = "another"
    message = predictor.change()
    assert "predictions of 16 of its test rows still match" in message


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_text_is_reported(texts, capsys, empty):
    assert app.main(["predict", "moods", "--text", empty]) == 2
    assert "--text is empty" in one_line(capsys)
    assert app.main(["predict", "moods", "--text", "good", "--text", empty]) == 2
    assert "--text number 2 is empty" in one_line(capsys)


@pytest.mark.parametrize("text", ["😀", "zzz " * 5000, "\x00\t\x1b[31m", "null"], ids=str.strip)
def test_odd_texts_are_read(texts, capsys, text):
    assert app.main(["predict", "moods", "--text", text, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["predictions"]
    assert row["text"] == text
    assert sum(row["probabilities"].values()) == pytest.approx(1)
