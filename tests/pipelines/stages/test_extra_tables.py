"""Further files beside the rows: joined by key, and found wrong before any training."""

import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from features.tables.schema import Column
from features.tables.text_file import TableError
from pipelines.configuration.extra_files import ExtraFile
from pipelines.raw_files.sources import choose_source
from pipelines.stages import preprocess
from pipelines.stages.download import download
from pipelines.stages.preprocess import FeaturesError
from tests.made_up import Form, competition, write

SHOPS = ExtraFile(file="shops.csv", columns=(Column(name="size", kind="int"),), on="c")


def shops(folder):
    (folder / "shops.csv").write_text("c,size,city\nx,1,Loja\ny,2,Loja\nz,3,Puyo\n")


def notes(folder):
    for name in ("train", "test"):
        for id_ in pd.read_csv(folder / f"{name}.csv")["id"]:
            (folder / name).mkdir(exist_ok=True)
            (folder / name / f"{id_}.txt").write_text(f"{id_ % 7}")


def number(content):
    return {"note": int(content)}


NOTES = ExtraFile(file="{split}/{id}.txt", columns=(Column(name="note", kind="int"),), parse=number)


def prepared(tmp_path, write_more, extra_files, spoil=lambda folder: None, **options):
    form = Form(
        "toy", "rmse", "y", write_more=write_more, options={"extra_files": extra_files, **options}
    )
    if not (tmp_path / "in").exists():
        write(form, tmp_path / "in")
    spoil(tmp_path / "in")
    entered = competition(form)
    source = choose_source(str(tmp_path / "in"), entered)
    return preprocess.prepare(entered, download(entered, source, tmp_path / "data"))


def test_rows_get_what_stands_under_their_key(tmp_path):
    made = prepared(tmp_path, shops, {"shops": SHOPS})
    sizes = {"x": 1, "y": 2, "z": 3}
    for table in (made.train, made.test):
        assert table["size"].tolist() == table["c"].map(sizes).tolist()
        assert "city" not in table
    preprocess.save(made, tmp_path)
    again = preprocess.load(tmp_path)
    pd.testing.assert_frame_equal(again.extra.test["shops"], made.extra.test["shops"])


def test_rows_get_the_values_of_their_own_file(tmp_path):
    made = prepared(tmp_path, notes, {"notes": NOTES})
    for table, ids in ((made.train, made.train_ids), (made.test, made.test_ids)):
        assert table["note"].tolist() == (ids.astype(int) % 7).tolist()
        assert table["id"].tolist() == ids.tolist()
    changed = prepared(
        tmp_path, notes, {"notes": NOTES}, lambda at: (at / "train" / "1.txt").write_text("9")
    )
    assert changed.train["note"].tolist()[0] == 9


def test_a_join_of_one_s_own_must_be_row_wise(tmp_path):
    def join(rows, tables):
        return rows.assign(size=rows["c"].map(tables["shops"].set_index("c")["size"]))

    def leaky(rows, tables):
        return rows.assign(size=np.arange(len(rows)) * len(tables["shops"]))

    loose = ExtraFile(file="shops.csv", columns=(Column(name="c", kind="text"), *SHOPS.columns))
    made = prepared(tmp_path, shops, {"shops": loose}, join=join)
    assert made.train["size"].isin([1, 2, 3]).all()
    with pytest.raises(FeaturesError, match="size changed when other rows were left out"):
        prepared(tmp_path, shops, {"shops": loose}, join=leaky)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda at: (at / "shops.csv").write_text("c,size\nx,1\nx,2\n"),
            "key 'c': found c=x in rows 1, 2, expected each once",
        ),
        (
            lambda at: (at / "shops.csv").write_text("c,size\nx,1\ny,2\n"),
            "columns 'size': found nothing for c z (and",
        ),
        (
            lambda at: (at / "shops.csv").write_text("c,size\nx,one\n"),
            "column 'size', line 2: found 'one', expected a whole number",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_told(tmp_path, spoil, said):
    with pytest.raises(TableError, match=re.escape(said)):
        prepared(tmp_path, shops, {"shops": SHOPS}, spoil)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda at: (at / "train" / "7.txt").unlink(),
            "columns 'note': found nothing for id 7, expected values",
        ),
        (
            lambda at: (at / "train" / "7.txt").write_text("seven"),
            "file of id 7: found ValueError in parse (invalid literal",
        ),
    ],
)
def test_a_row_s_file_that_does_not_fit_is_told(tmp_path, spoil, said):
    with pytest.raises(TableError, match=re.escape(said)):
        prepared(tmp_path, notes, {"notes": NOTES}, spoil)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (SHOPS.model_copy(update={"on": ("shop",)}), "shop is neither the id nor a column"),
        (SHOPS.model_copy(update={"on": ()}), "name the key that joins it"),
        (NOTES.model_copy(update={"parse": None}), "'{split}/{id}.txt' needs parse="),
        (SHOPS.model_copy(update={"parse": number}), "parse is for a file for each row"),
    ],
)
def test_an_extra_file_that_cannot_be_meant_is_told(extra, said):
    with pytest.raises(ValidationError, match=re.escape(said)):
        competition(Form("toy", "rmse", "y", options={"extra_files": {"extra": extra}}))
