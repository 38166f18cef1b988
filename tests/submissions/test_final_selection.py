"""The two submissions to choose."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from submissions.final_selection import Candidate, lack_of_correlation, propose, share_differing

IDS = pd.Index(list("abcdefgh"))


def labels(text):
    return pd.DataFrame({"y": list(map(int, text))}, index=IDS)


def candidate(run, cv, text, cv_std=0.02):
    """Of four splits, so the standard error is half of the deviation."""
    return Candidate(run, cv, cv_std, 4, labels(text))


def choose(*candidates, greater_is_better=True):
    return propose(candidates, greater_is_better=greater_is_better, difference=share_differing)


def test_the_most_different_of_those_as_good_is_chosen():
    finals = choose(
        candidate("low", 0.70, "11111111"),
        candidate("near", 0.799, "00000001"),
        candidate("best", 0.80, "00000000"),
        candidate("far", 0.795, "00001111"),
    )
    assert (finals.best.run, finals.other.run) == ("best", "far")
    assert (finals.n_as_good, finals.difference) == (3, 0.5)


def test_a_loss_is_better_when_it_is_lower():
    finals = choose(
        candidate("high", 0.9, "11111111"),
        candidate("best", 0.3, "00000000"),
        candidate("as good", 0.305, "00000011"),
        greater_is_better=False,
    )
    assert (finals.best.run, finals.other.run) == ("best", "as good")


def test_where_none_is_as_good_the_second_best_is_proposed():
    finals = choose(
        candidate("third", 0.5, "11111111"),
        candidate("second", 0.6, "00000001"),
        candidate("best", 0.8, "00000000"),
    )
    assert (finals.other.run, finals.n_as_good) == ("second", 1)


@pytest.mark.parametrize(("cv", "n_as_good"), [(0.25, 2), (0.24, 1)])
def test_one_standard_error_is_as_good_and_more_is_not(cv, n_as_good):
    best, other = candidate("best", 0.5, "00000000", cv_std=0.5), candidate("other", cv, "1" * 8)
    assert choose(best, other).n_as_good == n_as_good


def test_a_run_of_the_same_answers_is_no_second_choice():
    finals = choose(candidate("best", 0.80, "00110011"), candidate("twin", 0.799, "00110011"))
    assert finals.other is None
    finals = choose(candidate("only", 0.8, "00000000"))
    assert (finals.best.run, finals.other, finals.n_as_good) == ("only", None, 1)


def test_no_candidate_is_an_error():
    with pytest.raises(ValueError, match="no candidate"):
        choose()


def test_rows_are_compared_by_id():
    one = labels("00001111")
    assert share_differing(one, one.sample(frac=1, random_state=0)) == 0
    assert share_differing(one, labels("00001110")) == 1 / 8


def test_probabilities_differ_by_their_correlation():
    rng = np.random.default_rng(0)
    one = pd.DataFrame(rng.random((8, 3)), index=IDS)
    other = pd.DataFrame(rng.random((8, 3)), index=IDS)
    each = [np.corrcoef(one[column], other[column])[0, 1] for column in one]
    assert lack_of_correlation(one, other) == pytest.approx(1 - np.mean(each))
    assert lack_of_correlation(one, one.sample(frac=1, random_state=0)) == 0
    assert lack_of_correlation(one, one * 0.5) == pytest.approx(0)
