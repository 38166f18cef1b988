from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from models.architectures.bag import BagSettings
from models.data import InputShape
from models.estimators.ngram_logistic import _runs
from models.estimators.ngrams import NgramSettings

TOKENS = np.array(
    [[2, 3, 0, 0], [3, 2, 4, 0], [2, 3, 4, 5], [5, 0, 0, 0], [5, 5, 2, 3], [4, 3, 2, 0]]
)
TARGET = np.array([0, 1, 0, 2, 2, 1])


def test_weights_are_those_of_scikit_learn() -> None:
    texts = [" ".join(f"t{token}" for token in row if token) for row in TOKENS]
    settings = {"ngram_range": (1, 3), "min_df": 2, "sublinear_tf": True}
    expected = TfidfVectorizer(token_pattern=r"\S+", **settings).fit_transform(texts)
    fitted = NgramSettings(min_count=2).build(0).fit(TOKENS, TARGET)
    made = fitted.weighting_.transform(fitted._counts(TOKENS))
    # "5 5" is a run of one row only, but "5" occurs twice in it.
    np.testing.assert_allclose(sorted(made.sum(axis=0).flat), sorted(expected.sum(axis=0).flat))


def test_the_order_of_words_tells_classes_apart() -> None:
    x = np.tile(TOKENS, (20, 1))
    fitted = NgramSettings(C=100.0).build(0).fit(x, np.tile(TARGET, 20))
    assert (fitted.predict_proba(TOKENS).argmax(axis=1) == TARGET).all()
    np.testing.assert_allclose(fitted.predict_proba(TOKENS).sum(axis=1), 1)


def test_unknown_runs_and_narrow_tables_are_taken() -> None:
    fitted = NgramSettings().build(0).fit(np.tile(TOKENS, (3, 1)), np.tile(TARGET, 3))
    assert fitted.predict_proba(np.array([[9, 8, 7, 6]])).shape == (1, 3)
    narrow = NgramSettings().build(0).fit(np.tile(TOKENS[:, :1], (3, 1)), np.tile(TARGET, 3))
    assert narrow.predict_proba(TOKENS[:2, :1]).shape == (2, 3)


def test_runs_of_four_tell_apart_what_runs_of_three_cannot() -> None:
    x = np.array([[2, 2, 3, 3, 2, 2, 0], [2, 3, 3, 2, 2, 3, 0]] * 10)
    runs = [{tuple(np.unique(k)) for _, k in _runs(x[i : i + 1], 4)} for i in (0, 1)]
    assert runs[0] != runs[1]
    n_runs = [len(runs) for runs in NgramSettings(longest=4).build(0).fit(x, x[:, 1]).runs_]
    assert n_runs == [2, 4, 4, 4]


def test_balance_names_the_rare_class_more_often() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(2, 6, (300, 3))
    target = (rng.random(300) < np.where(x[:, 0] == 2, 0.3, 0.05)).astype(np.int64)
    named = [
        (NgramSettings(balance=balance).build(0).fit(x, target).predict_proba(x)[:, 1] > 0.5).sum()
        for balance in (0.0, 1.0)
    ]
    assert named[0] < named[1] / 3


@pytest.mark.parametrize("width", [1, 5])
def test_padding_changes_nothing_in_a_bag(width: int) -> None:
    import torch

    network = BagSettings(embedding_size=3, hidden=4).build(InputShape(n_tokens=7), 5).eval()
    tokens = torch.randint(2, 7, (4, width))
    lengths = torch.full((4,), width)
    wider = torch.cat([tokens, torch.zeros(4, 3, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(wider, lengths), network(tokens, lengths))
    if width > 1:
        turned = tokens.clone()
        turned[0] = torch.arange(2, 7)
        backwards = turned.flip(1)
        assert not torch.allclose(network(backwards, lengths)[0], network(turned, lengths)[0])


def test_an_estimator_is_rebuilt_from_its_arrays() -> None:
    settings = NgramSettings(min_count=1)
    fitted = settings.build(0).fit(TOKENS, TARGET)
    learned = settings.learned(fitted)
    assert all(value.dtype != object for value in learned.values())
    again = settings.rebuild(0, learned)
    np.testing.assert_array_equal(again.predict_proba(TOKENS), fitted.predict_proba(TOKENS))
