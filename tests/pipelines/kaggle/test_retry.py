"""How often something is tried, and how long is waited between."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from pipelines.kaggle.http_faults import cause, is_passing, is_undelivered
from pipelines.kaggle.retry import Patience


def answered(status, **headers):
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    return requests.HTTPError(response=response)


def attempts(*outcomes):
    """A call that fails with each error in turn, and then gives `done`."""
    left = list(outcomes)

    def attempt():
        if left:
            raise left.pop(0)
        return "done"

    return attempt


@pytest.fixture
def waited():
    return []


@pytest.fixture
def patience(waited):
    return Patience(sleep=waited.append)


def test_pauses_double(patience, waited):
    assert patience.persist(attempts(*[answered(500)] * 3)) == "done"
    assert waited == [1.0, 2.0, 4.0]


def test_the_last_error_is_raised_when_the_tries_are_used_up(patience, waited):
    errors = [answered(500), answered(502), answered(503), answered(504)]
    with pytest.raises(requests.HTTPError) as caught:
        patience.persist(attempts(*errors))
    assert caught.value is errors[-1]
    assert len(waited) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 416])
def test_a_refusal_is_not_asked_again(patience, waited, status):
    with pytest.raises(requests.HTTPError):
        patience.persist(attempts(answered(status)))
    assert waited == []


def test_a_server_is_given_the_wait_that_it_asks_for(patience, waited):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    errors = [answered(429, Retry_After="0"), answered(503, Retry_After="2.5")]
    patience.persist(attempts(*errors, answered(429, Retry_After=soon)))
    assert waited[:2] == [0.0, 2.5]
    assert 25 < waited[2] <= 30


def test_nonsense_for_a_wait_is_passed_over(patience, waited):
    patience.persist(attempts(answered(429, Retry_After="soon")))
    assert waited == [1.0]


def test_a_server_that_asks_for_more_than_we_wait_is_not_asked_again(patience, waited):
    with pytest.raises(requests.HTTPError):
        patience.persist(attempts(answered(429, Retry_After="61")))
    assert waited == []


def test_pauses_have_a_bound(waited):
    patience = Patience(tries=9, longest_wait_s=5.0, sleep=waited.append)
    patience.persist(attempts(*[requests.ConnectionError()] * 8))
    assert waited == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]


def test_each_pause_is_reported_with_its_reason(waited):
    heard = []
    patience = Patience(sleep=waited.append, tell=heard.append)
    patience.persist(attempts(answered(500), requests.ReadTimeout()))
    assert heard == [
        "answered 500; trying again in 1 s (2 of 4)",
        "no answer in time; trying again in 2 s (3 of 4)",
    ]


def test_an_error_of_our_own_is_not_tried_again(patience, waited):
    with pytest.raises(KeyError):
        patience.persist(attempts(KeyError()))
    assert waited == []


@pytest.mark.parametrize(
    ("error", "wrong", "passing", "undelivered"),
    [
        (answered(500), "answered 500", True, True),
        (answered(504), "answered 504", True, False),
        (answered(404), "answered 404", False, True),
        (requests.ReadTimeout(), "no answer in time", True, False),
        (requests.ConnectTimeout(), "no answer in time", True, True),
        (requests.ConnectionError("Connection refused"), "connection refused", True, True),
        (requests.ConnectionError("Connection aborted."), "the connection broke", True, False),
        (
            requests.exceptions.SSLError("self-signed"),
            "its certificate was not accepted",
            False,
            False,
        ),
        (requests.exceptions.ChunkedEncodingError(), "the connection broke", True, False),
    ],
    ids=str,
)
def test_what_an_error_means(error, wrong, passing, undelivered):
    assert (cause(error), is_passing(error), is_undelivered(error)) == (
        wrong,
        passing,
        undelivered,
    )
