"""Vectors of a pretrained transformer: a tiny one with random weights, made here."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from features.encoders.pretrained_text import PretrainedTextEncoder, TextModelError
from pipelines.configuration.canonical import canonical

transformers = pytest.importorskip("transformers", reason="pip install 'foldwise[text]'")

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["a", "good", "bad", "film", "is", "not", "it", "was", "##s"],
]
TEXTS = ["a good film", "it was not bad", "", "good", "films", "a good film", "it is a film"]
SIZE = 8


def write_model(folder, seed=0):
    """A model of one layer with its tokenizer, as Hugging Face writes them."""
    import torch

    folder.mkdir()
    (folder / "words.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizerFast(vocab=str(folder / "words.txt")).save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=SIZE,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def encoded(model, texts, **options):
    encoder = PretrainedTextEncoder("text", model=str(model), **options)
    return encoder.transform(pd.DataFrame({"text": texts}))["x_num"]


def test_each_text_has_its_vectors(model):
    found = encoded(model, TEXTS)
    assert (found.shape, found.dtype) == ((len(TEXTS), 2 * SIZE), np.float16)
    assert np.isfinite(found).all()
    assert len({row.tobytes() for row in found}) == len(set(TEXTS))
    np.testing.assert_allclose(found[:, :SIZE].mean(axis=1), 0, atol=1e-2)


def test_they_are_those_of_the_library(model):
    import torch

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    whole = transformers.AutoModel.from_pretrained(model).eval()
    with torch.inference_mode():
        hidden = whole(**tokenizer(TEXTS[1], return_tensors="pt")).last_hidden_state[0].numpy()
    parts = [hidden.mean(axis=0), hidden.max(axis=0), hidden[0]]
    expected = np.concatenate([(p - p.mean()) / p.std(ddof=1) for p in parts])
    found = encoded(model, TEXTS, pooling=("mean", "max", "first"))[1]
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_rows_do_not_depend_on_those_beside_them(model):
    many = TEXTS * 30 + ["it " * n for n in range(1, 20)]
    together = encoded(model, many)
    alone = np.vstack([encoded(model, [text]) for text in many[:12]])
    assert together[:12].tobytes() == alone.tobytes()


def test_a_long_text_keeps_its_beginning(model):
    short, long = (
        encoded(model, ["good good"], max_len=4),
        encoded(model, ["good " * 99], max_len=4),
    )
    assert short.tobytes() == long.tobytes()


def test_a_missing_text_counts_as_empty(model):
    assert encoded(model, [None]).tobytes() == encoded(model, [""]).tobytes()
    assert encoded(model, []).shape == (0, 2 * SIZE)


def test_a_package_may_hold_the_model(model, tmp_path, monkeypatch):
    package = tmp_path / "holds_a_model"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copytree(model, package / "inside" / "model")
    monkeypatch.syspath_prepend(tmp_path)
    assert encoded("holds_a_model", TEXTS).tobytes() == encoded(model, TEXTS).tobytes()


def test_other_weights_under_the_same_name_are_another_encoder(tmp_path):
    folder = write_model(tmp_path / "tiny", seed=1)
    before = canonical(PretrainedTextEncoder("text", model=str(folder)))
    vectors = encoded(folder, TEXTS)
    shutil.rmtree(folder)
    write_model(folder, seed=2)
    assert canonical(PretrainedTextEncoder("text", model=str(folder))) != before
    assert encoded(folder, TEXTS).tobytes() != vectors.tobytes()


@pytest.mark.parametrize("absent", ["nowhere", "no/such/folder", "json"])
def test_a_model_that_is_not_there_is_one_line(absent):
    with pytest.raises(TextModelError, match=f"^{absent}: found neither a folder") as fault:
        encoded(absent, TEXTS)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", b"cut"), ("config.json", b"{}")]
)
def test_a_broken_model_is_one_line(tmp_path, name, content):
    folder = write_model(tmp_path / "tiny")
    (folder / name).write_bytes(content)
    with pytest.raises(TextModelError, match="found a model that cannot be read") as fault:
        encoded(folder, TEXTS)
    assert "\n" not in str(fault.value)
