"""What `foldwise notebook` writes: the same bytes each time, private, only what is needed."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from pipelines.commands import app
from pipelines.notebooks.metadata import Names
from pipelines.notebooks.wheel import write_wheel


@pytest.fixture
def empty(signed_out, tmp_path, monkeypatch):
    """An empty folder to work in, of a person without a Kaggle account."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def metadata(folder):
    return json.loads((folder / "kernel" / "kernel-metadata.json").read_text())


def cells(folder):
    (path,) = (folder / "kernel").glob("*.ipynb")
    return json.loads(path.read_text())["cells"]


def test_the_same_run_gives_the_same_bytes(newest, capsys):
    typed = ["notebook", "titanic", newest, "--user", "somebody", "--out"]
    assert app.main([*typed, "one"]) == 0
    assert app.main([*typed, "other"]) == 0
    assert content(Path("one")) == content(Path("other"))
    printed = capsys.readouterr().out
    assert newest in printed
    assert "kaggle datasets create -p one/dataset -r zip" in printed
    assert "kaggle kernels push -p one/kernel" in printed


def test_it_is_private_without_internet_and_names_its_kernel(empty):
    assert app.main(["notebook", "titanic", "--user", "somebody"]) == 0
    written = metadata(Path("notebooks/titanic-train"))
    assert written["is_private"] is True
    assert written["enable_internet"] is False
    assert written["enable_gpu"] is True
    assert written["competition_sources"] == ["titanic"]
    assert written["dataset_sources"] == ["somebody/foldwise-titanic-train"]
    (path,) = Path("notebooks/titanic-train/kernel").glob("*.ipynb")
    assert path.name == written["code_file"]
    assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3"


def test_a_notebook_has_text_before_code_and_no_outputs(newest):
    assert app.main(["notebook", "titanic", newest]) == 0
    assert app.main(["notebook", "titanic"]) == 0
    for kind in ("predict", "train"):
        found = cells(Path(f"notebooks/titanic-{kind}"))
        titles = ["".join(c["source"]) for c in found if c["cell_type"] == "markdown"]
        text = "\n".join(titles).lower()
        parts = ("data", "features", "folds", "members", "score", "submission")
        assert all(re.search(rf"^## .*{part}", text, re.MULTILINE) for part in parts), text
        for cell in found:
            if cell["cell_type"] == "code":
                compile("".join(cell["source"]), cell["id"], "exec")
                assert cell["outputs"] == []
                assert cell["execution_count"] is None
        assert len({cell["id"] for cell in found}) == len(found)


@pytest.mark.parametrize("name", ["titanic", "a-very-long-name-of-a-competition-of-2026", "x_y"])
@pytest.mark.parametrize("kind", ["train", "predict"])
def test_a_title_resolves_to_its_slug(name, kind):
    names = Names("somebody", name, kind)
    assert re.sub(r"[^a-z0-9]+", "-", names.title.lower()) == names.slug
    assert 6 <= len(names.title) <= 50


def test_without_an_account_the_name_is_left_open(empty, capsys):
    assert app.main(["notebook", "titanic"]) == 0
    assert metadata(Path("notebooks/titanic-train"))["id"].startswith("YOUR-KAGGLE-NAME/")
    assert "--user NAME" in " ".join(capsys.readouterr().out.split())


def test_the_name_of_the_account_is_used(empty, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    assert app.main(["notebook", "titanic"]) == 0
    assert metadata(Path("notebooks/titanic-train"))["id"] == "ada/foldwise-titanic-train"
    assert not [name for name, data in content(empty).items() if b"0" * 32 in data]


def test_an_earlier_notebook_is_replaced_and_another_folder_is_not(empty, capsys):
    assert app.main(["notebook", "titanic", "--out", "there"]) == 0
    Path("there/dataset/left.txt").write_text("of an earlier time")
    assert app.main(["notebook", "titanic", "--out", "there"]) == 0
    assert not Path("there/dataset/left.txt").exists()
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    assert app.main(["notebook", "titanic", "--out", "mine"]) == 2
    assert "mine holds something else" in capsys.readouterr().err
    assert {path.name for path in Path().iterdir()} == {"there", "mine"}


def test_a_fault_leaves_an_earlier_notebook_as_it_was(newest, capsys):
    assert app.main(["notebook", "titanic", newest, "--out", "there"]) == 0
    before = content(Path("there"))
    shutil.rmtree(f"runs/titanic/{newest}/stages/preprocess")
    assert app.main(["notebook", "titanic", newest, "--out", "there"]) == 3
    assert content(Path("there")) == before
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["titanic", "20200101-000000-abcdef"], "no finished run"),
        (["titanic", "--kind", "predict"], "has no finished run; type foldwise run titanic"),
        (["titanic", "--kind", "both"], "--kind is train or predict, found 'both'"),
        (["names"], "is not on Kaggle"),
        (["titanik"], "did you mean 'titanic'?"),
    ],
)
def test_wrong_usage_is_one_line(empty, capsys, typed, message):
    assert app.main(["notebook", *typed]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(empty.iterdir())


def test_a_competition_s_own_file_goes_along(empty, write_own):
    written = write_own(empty)
    Path("competitions/unrelated.py").write_text("SECRET = 1\n")
    assert app.main(["notebook", "titanic-mine"]) == 0
    folder = Path("notebooks/titanic-mine-train")
    sent = {path.name for path in (folder / "dataset" / "competitions").iterdir()}
    assert sent == written
    code = "".join("".join(cell["source"]) for cell in cells(folder))
    assert 'rglob("competitions/titanic_mine.py")' in code


def test_settings_of_the_run_are_in_the_notebook(newest):
    assert app.main(["notebook", "titanic", newest, "--kind", "train"]) == 0
    code = "\n".join("".join(cell["source"]) for cell in cells(Path("notebooks/titanic-train")))
    names = {}
    (settings,) = re.findall(r"^MEMBERS = .*\nSETTINGS = (?:.|\n)*?\}$", code, re.MULTILINE)
    exec(settings, names)
    assert names["MEMBERS"] == ["trees"]
    assert names["SETTINGS"]["folds.n_folds"] == 3
    assert names["SETTINGS"]["trees.trees.n_estimators"] == 1


def test_a_wheel_has_its_metadata_also_beside_the_record_of_a_checkout(tmp_path, monkeypatch):
    """`pip install --editable` leaves a folder in the checkout, which Python finds first."""
    record = tmp_path / "checkout" / "foldwise.egg-info"
    record.mkdir(parents=True)
    (record / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: foldwise\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(record.parent)
    with zipfile.ZipFile(write_wheel(tmp_path)) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        assert b"Name: foldwise" in wheel.read(name)
        assert not name.startswith("foldwise-9.9")
