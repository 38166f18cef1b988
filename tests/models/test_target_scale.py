"""Scales of a target: there and back, and what does not suit them."""

import json

import numpy as np
import pytest

from models.target_scale import TargetScale, TransformError

VALUES = np.random.default_rng(0).gamma(2.0, 50.0, 500)


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("transform", ["none", "log1p", "sqrt", "rank_gauss"])
def test_there_and_back(transform, standardise):
    scale = TargetScale.fit(VALUES, transform, standardise=standardise)
    learned = scale.forward(VALUES)
    np.testing.assert_allclose(scale.inverse(learned), VALUES, rtol=0.02)
    assert (np.diff(learned[np.argsort(VALUES)]) >= 0).all()
    if standardise:
        assert learned.mean() == pytest.approx(0, abs=1e-9)
        assert learned.std() == pytest.approx(1)
    again = TargetScale.from_dict(json.loads(json.dumps(scale.to_dict())))
    np.testing.assert_array_equal(again.inverse(learned), scale.inverse(learned))


def test_rank_gauss_is_normal_and_stays_within_the_values_seen():
    scale = TargetScale.fit(VALUES, "rank_gauss", standardise=False)
    learned = scale.forward(VALUES)
    assert abs(np.mean(learned)) < 0.01
    assert abs((np.abs(learned) < 1).mean() - 0.683) < 0.02
    ends = scale.inverse(np.array([-9.0, 9.0]))
    np.testing.assert_allclose(ends, [VALUES.min(), VALUES.max()])


def test_a_constant_target_is_learned_as_zero():
    scale = TargetScale.fit(np.full(9, 3.0), "none", standardise=True)
    assert scale.forward(np.full(9, 3.0)).tolist() == [0] * 9
    assert scale.inverse(np.zeros(2)).tolist() == [3, 3]


@pytest.mark.parametrize(("transform", "lowest"), [("log1p", -1.0), ("sqrt", -0.5)])
def test_a_transform_that_does_not_suit_names_the_row(transform, lowest):
    with pytest.raises(TransformError, match=f"'{transform}' needs values above .*training row 3"):
        TargetScale.fit(np.array([1.0, 2.0, lowest]), transform, standardise=False)
