"""One archive from the loopback Kaggle, with every way in which a transfer can break."""

import contextlib
import random

import pytest
from kaggle_server import SIGNATURE, cut, pass_by, refuse, stall_at, zipped

from pipelines.kaggle import client
from pipelines.kaggle.errors import KaggleError
from pipelines.kaggle.transfer import CHUNK_BYTES, Remote

N_BYTES = 300_000
BROKE_AT = 12 * CHUNK_BYTES  # a whole number of pieces, so that all of them are kept


def archive(seed):
    return zipped({"train.csv": random.Random(seed).randbytes(N_BYTES)})


@pytest.fixture
def fetch(kaggle, patience, tmp_path):
    """Fetches `toy` into `toy.zip`; a second call goes on where the first one stopped."""
    kaggle.archives["toy"] = archive(1)
    message = []

    def fetch(**options):
        return client.download(
            "toy",
            "competition",
            tmp_path / "toy.zip",
            tmp_path / "parts",
            progress=lambda *n: message.append(n),
            patience=patience,
            **options,
        )

    fetch.message = message
    return fetch


def starts(kaggle):
    """The first byte that each request to the storage asked for."""
    ranges = (headers.get("Range", "bytes=0-") for headers in kaggle.asked("storage"))
    return [int(text.removeprefix("bytes=").removesuffix("-")) for text in ranges]


def parts(tmp_path):
    folder = tmp_path / "parts"
    return [path.stat().st_size for path in folder.iterdir()] if folder.exists() else []


def test_a_whole_archive(kaggle, fetch, tmp_path, pauses):
    remote = fetch()
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]
    assert remote.n_bytes == len(kaggle.archives["toy"])
    assert fetch.message[-1] == (remote.n_bytes, remote.n_bytes)
    assert len(fetch.message) > 3
    assert (pauses, parts(tmp_path)) == ([], [])


def test_the_storage_never_sees_the_credentials(kaggle, fetch):
    kaggle.on("storage", cut(BROKE_AT))
    fetch()
    assert len(kaggle.asked("storage")) == 3
    assert all("Authorization" not in headers for headers in kaggle.asked("storage"))
    assert all("Authorization" in headers for headers in kaggle.asked("DownloadDataFiles"))


@pytest.mark.parametrize("reset", [False, True], ids=["shorter than announced", "reset"])
def test_a_cut_goes_on_from_the_byte_where_it_broke(kaggle, fetch, tmp_path, pauses, reset):
    kaggle.on("storage", cut(BROKE_AT, reset=reset))
    fetch()
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]
    assert starts(kaggle) == [0, 0, BROKE_AT]
    assert kaggle.asked("storage")[2]["If-Range"].startswith('"')
    assert pauses == [1.0]
    assert [done for done, _ in fetch.message] == sorted(done for done, _ in fetch.message)


def test_a_stall_in_the_middle_is_not_waited_for_and_goes_on(kaggle, fetch, tmp_path):
    kaggle.on("storage", stall_at(BROKE_AT))
    fetch()
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]
    assert starts(kaggle)[2] > 0


def test_a_later_command_goes_on_too(kaggle, fetch, tmp_path):
    kaggle.on("storage", cut(BROKE_AT))
    kaggle.on("DownloadDataFiles", pass_by, *[refuse(503)] * 3)
    with pytest.raises(
        KaggleError, match="bytes received are kept: the same command resumes there"
    ):
        fetch()
    assert parts(tmp_path) == [BROKE_AT]
    assert not (tmp_path / "toy.zip").exists()
    fetch()
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]
    assert starts(kaggle) == [0, 0, BROKE_AT]
    assert parts(tmp_path) == []


@pytest.mark.parametrize("when", ["before the next try", "between asking and going on"])
def test_another_archive_meanwhile_is_fetched_from_its_start(kaggle, fetch, tmp_path, when):
    new = archive(2)
    if when == "before the next try":
        kaggle.on("storage", cut(BROKE_AT, then=new))
    else:
        kaggle.on("storage", cut(BROKE_AT), cut(0, then=new))
    remote = fetch()
    assert (tmp_path / "toy.zip").read_bytes() == new
    assert remote.n_bytes == len(new)
    assert parts(tmp_path) == []


def test_bytes_that_no_tag_vouches_for_are_not_gone_on_with(kaggle, fetch, tmp_path):
    kaggle.on("storage", *[cut(BROKE_AT, etag=False)] * 4)
    with pytest.raises(KaggleError, match="broke before toy was whole"):
        fetch()
    assert starts(kaggle) == [0] * 4
    assert parts(tmp_path) == []


@pytest.mark.parametrize(("etag", "starts_expected"), [(True, 2), (False, 1)])
def test_after_ctrl_c_it_goes_on_where_a_tag_vouches_for_the_bytes(
    kaggle, patience, tmp_path, etag, starts_expected
):
    kaggle.archives["toy"] = archive(1)

    def interrupt(done, _):
        if done >= BROKE_AT:
            raise KeyboardInterrupt

    for progress in (interrupt, None):
        kaggle.on("storage", cut(2 * N_BYTES, etag=etag))
        with contextlib.suppress(KeyboardInterrupt):
            client.download(
                "toy",
                "competition",
                tmp_path / "toy.zip",
                tmp_path / "parts",
                progress=progress,
                patience=patience,
            )
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]
    assert len(set(starts(kaggle))) == starts_expected


def test_every_try_adds_its_bytes(kaggle, fetch, tmp_path):
    kaggle.on("storage", cut(3 * CHUNK_BYTES))
    for n_chunks in (7, 12, 17):
        kaggle.on("storage", pass_by, cut(n_chunks * CHUNK_BYTES))
    with pytest.raises(KaggleError, match=r"broke before toy was whole \(4 tries\)") as caught:
        fetch()
    assert SIGNATURE not in str(caught.value)
    assert parts(tmp_path) == [17 * CHUNK_BYTES]
    fetch()
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]
    ends = [start for start in starts(kaggle) if start]
    assert ends == [n_chunks * CHUNK_BYTES for n_chunks in (3, 7, 12, 17)]


def test_a_range_that_was_not_asked_for_is_not_taken(kaggle, fetch, tmp_path):
    def other_range(handler, _):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 5-{len(kaggle.archives['toy']) - 1}/999999")
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"abc")

    kaggle.on("storage", cut(BROKE_AT), pass_by, other_range)
    fetch()
    assert (tmp_path / "toy.zip").read_bytes() == kaggle.archives["toy"]


def test_what_is_here_already_is_not_fetched(kaggle, fetch, tmp_path):
    remote = fetch()
    (tmp_path / "toy.zip").unlink()
    fetch.message.clear()
    assert fetch(unless=remote) is None
    assert fetch.message == []
    assert not (tmp_path / "toy.zip").exists()
    kaggle.archives["toy"] = archive(2)
    assert fetch(unless=remote) != remote
    assert (tmp_path / "toy.zip").read_bytes() == archive(2)


def test_an_archive_without_a_tag_is_fetched_again(kaggle, fetch):
    nobody_knows = Remote(etag=None, n_bytes=len(kaggle.archives["toy"]))
    kaggle.on("storage", cut(N_BYTES * 2, etag=False))
    assert fetch(unless=nobody_knows) == nobody_knows
