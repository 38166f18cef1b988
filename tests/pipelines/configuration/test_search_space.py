"""Search spaces: what they hold, and whether the competitions' ones fit their members."""

import pytest
from pydantic import ValidationError

from pipelines import competitions
from pipelines.configuration.assignments import settings_of
from pipelines.configuration.search_space import Choice, Real, Whole
from pipelines.tuning.trials import with_values

SEARCHED = [
    (name, member.name, key)
    for name in competitions.list_competitions()
    for member in competitions.load_competition(name).members
    for key in member.search
]


@pytest.mark.parametrize(
    ("own", "inside", "outside"),
    [
        (Real(low=0.1, high=1.0), [0.1, 0.5, 1], [0.05, 1.1, "0.5", True, None]),
        (Whole(low=2, high=8, step=3), [2, 5, 8], [3, 4.5, 11, True]),
        (Choice(values=((8,), (16, 8))), [(8,), (16, 8)], [(9,), 8]),
    ],
    ids=["real", "whole", "choice"],
)
def test_a_range_holds_its_values_and_no_others(own, inside, outside):
    assert all(own.holds(value) for value in inside)
    assert not any(own.holds(value) for value in outside)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Real(low=1.0, high=0.5),
        lambda: Real(low=0.0, high=1.0, log=True),
        lambda: Whole(low=1, high=10, step=2),
        lambda: Whole(low=1, high=9, step=2, log=True),
        lambda: Choice(values=()),
        lambda: Real(low=0.0, high=1.0, logg=True),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(make):
    with pytest.raises(ValidationError):
        make()


@pytest.mark.parametrize(("name", "member", "key"), SEARCHED)
def test_a_competitions_ranges_fit_the_settings_they_are_for(name, member, key):
    competition = competitions.load_competition(name)
    (own,) = (m for m in competition.members if m.name == member)
    for end in own.search[key].ends:
        with_values(competition, own, {key: end})
    default = settings_of(competition)[f"{member}.{key}"]
    assert own.search[key].holds(default), "the first trial is that of the defaults"


def test_titanic_and_otto_can_be_tuned():
    assert {"titanic", "otto"} <= {name for name, _, _ in SEARCHED}
