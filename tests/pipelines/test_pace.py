"""How long something will still take."""

import pytest

from pipelines.pace import Pace, spoken


def test_the_rest_takes_as_long_as_what_is_done():
    pace = Pace(100.0)
    assert pace.left(101.0) == ""
    pace.hear(1, 4, 110.0)
    assert (pace.left(110.0), pace.counted()) == ("~30 s left", "1 of 4")
    assert pace.left(115.0) == "~25 s left"
    pace.hear(4, 4, 140.0)
    assert pace.left(140.0) == ""


def test_what_an_earlier_call_did_says_nothing_of_the_pace():
    pace = Pace(0.0, begun_with=90)
    pace.hear(90, 100, 5.0)
    assert pace.left(5.0) == ""
    pace.hear(91, 100, 10.0)
    assert pace.left(10.0) == "~90 s left".replace("90 s", "2 min")


def test_nothing_is_said_of_the_first_moment_and_never_less_than_a_second():
    pace = Pace(0.0)
    pace.hear(1, 2, 1.0)
    assert pace.left(1.0) == ""
    pace.hear(1, 2, 10.0)
    assert pace.left(60.0) == "~1 s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.4, "4 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h"), (4800, "1 h 20 min")],
)
def test_times_are_said_as_a_person_says_them(seconds, text):
    assert spoken(seconds) == text
