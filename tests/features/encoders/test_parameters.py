"""The parameters of encoders, against those that scikit-learn's own base class gives."""

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from features.encoders.parameters import Parameters, check_is_fitted


class Ours(Parameters):
    def __init__(self, b, a=3, inner=None):
        self.b, self.a, self.inner = b, a, inner

    def fit(self):
        self.mean_ = 1.0
        return self


class Theirs(BaseEstimator):
    __init__ = Ours.__init__
    fit = Ours.fit


@pytest.mark.parametrize("deep", [True, False])
def test_the_same_as_scikit_learn_s(deep):
    ours, theirs = Ours(1, inner=Ours([2])), Theirs(1, inner=Theirs([2]))
    found, expected = ours.get_params(deep), theirs.get_params(deep)
    assert list(found) == list(expected)
    for params in (found, expected):
        params.pop("inner")
    assert found == expected


def test_clone_makes_an_unfitted_one_with_the_same_parameters():
    fitted = Ours([1], inner=Ours(2)).fit()
    copied = clone(fitted)
    assert copied.get_params(deep=False)["b"] == [1]
    assert copied.inner is not fitted.inner
    assert not hasattr(copied, "mean_")


def test_parameters_are_set_by_name_and_an_unknown_one_is_an_error():
    changed = Ours(1, inner=Ours(2)).set_params(a=5, inner__b=7)
    assert (changed.a, changed.inner.b) == (5, 7)
    with pytest.raises(ValueError, match=r"Ours has no parameter 'c'; it has a, b, inner"):
        changed.set_params(c=1)
    assert repr(changed.inner) == "Ours(a=3, b=7, inner=None)"


def test_only_fit_makes_it_fitted():
    with pytest.raises(NotFittedError, match="Ours is not fitted"):
        check_is_fitted(Ours(1))
    check_is_fitted(Ours(1).fit())
