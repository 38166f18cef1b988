"""Which source is used, and what is said about it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.raw_files.sources import SourceError, choose_source


@dataclass
class Competition:
    name: str = "titanic"
    kaggle: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            slug="titanic", kind="competition", page="https://www.kaggle.com/competitions/titanic"
        )
    )
    file_names: tuple[str, ...] = ("train.csv", "test.csv")
    sample: SimpleNamespace | None = field(
        default_factory=lambda: SimpleNamespace(origin="1,309 real passengers", synthetic=False)
    )

    @property
    def on_kaggle(self) -> SimpleNamespace:
        return self.kaggle


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in ("API_TOKEN", "USERNAME", "KEY", "CONFIG_DIR", "KERNEL_RUN_TYPE"):
        monkeypatch.delenv(f"KAGGLE_{name}", raising=False)
    return home


def refused(text: str, competition: Competition | None = None) -> str:
    with pytest.raises(SourceError) as caught:
        choose_source(text, competition or Competition())
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_auto_without_credentials_is_the_sample() -> None:
    source = choose_source("auto", Competition())
    assert (source.kind, source.path) == ("sample", None)
    assert "1,309 real passengers" in source.said
    assert "no Kaggle credentials" in source.said


def test_auto_with_credentials_is_kaggle(nobody: Path) -> None:
    (nobody / ".kaggle").mkdir()
    (nobody / ".kaggle/access_token").write_text("KGAT_secret")
    source = choose_source("auto", Competition())
    assert source.kind == "kaggle"
    assert str(nobody / ".kaggle/access_token") in source.said
    assert "secret" not in source.said


def test_the_words_mean_what_they_say() -> None:
    assert choose_source("kaggle", Competition()).kind == "kaggle"
    assert choose_source("sample", Competition()).kind == "sample"


def test_a_synthetic_sample_says_so() -> None:
    sample = SimpleNamespace(origin="generated rows", synthetic=True)
    assert "mean nothing" in choose_source("sample", Competition(sample=sample)).said


@pytest.mark.parametrize("text", ["auto", "sample"])
def test_no_sample_and_no_credentials(text: str) -> None:
    message = refused(text, Competition(name="house-prices", sample=None))
    assert "house-prices has no offline sample" in message
    assert "kaggle auth login" in message
    assert "train.csv, test.csv" in message


def test_a_folder_and_a_zip_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("data", "w") as zipped:
        zipped.writestr("train.csv", "")
    Path("cut.zip").write_bytes(b"")
    for text in (".", "data", "cut.zip"):
        source = choose_source(text, Competition())
        assert source.kind == "path"
        assert source.path == tmp_path / text
        assert str(tmp_path / text) in source.said


def test_a_tilde_is_the_home(nobody: Path) -> None:
    assert choose_source("~", Competition()).path == nobody


def test_an_unknown_path_is_reported_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "titanic.zip").write_bytes(b"PK")
    message = refused(str(tmp_path / "titanik.zip"))
    assert f"did you mean --source {tmp_path / 'titanic.zip'}?" in message
    assert "did you mean --source sample?" in refused("sampel")
    assert "type one of auto, kaggle, sample" in refused("/nowhere/at/all")


def test_a_plain_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,y\n")
    assert f"type --source {tmp_path}" in refused(str(tmp_path / "train.csv"))


def test_choosing_imports_no_kaggle() -> None:
    script = (
        "import sys; import pipelines.raw_files.sources as s; "
        "s.choose_source('kaggle', __import__('types').SimpleNamespace("
        "on_kaggle=__import__('types').SimpleNamespace(page=''))); "
        "print([m for m in sys.modules if m.split('.')[0] in ('kaggle', 'kagglesdk')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
