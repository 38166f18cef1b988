"""Kaggle on loopback: the endpoints that the real `kaggle` package calls, and their faults.

One server is the API (as 127.0.0.1) and the storage (as localhost), so that what must not go from
one to the other is seen. A fault is queued for an endpoint and happens to its next request.
"""

import base64
import fcntl
import hashlib
import io
import json
import re
import socket
import struct
import termios
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from kaggle_kernels import KernelCalls, Kernels

USER, KEY, TOKEN, REFRESH = "rose", "s3cr3t-k3y", "KGAT_s3cr3t-t0ken", "r3fr3sh"
SIGNATURE = "s1gn4tur3"
SECRETS = (KEY, TOKEN, SIGNATURE, REFRESH, base64.b64encode(f"{USER}:{KEY}".encode()).decode())
SIGNED_IN = (f"Basic {SECRETS[-1]}", f"Bearer {TOKEN}")
SIGNING_IN = ("IntrospectToken", "GenerateAccessToken")
STALL_S = 30.0

Fault = Callable[["Handler", Callable[[], None]], None]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)  # with one date for all time
            archive.writestr(info, content, method)
    return buffer.getvalue()


class KaggleServer(ThreadingHTTPServer):
    """What Kaggle holds, what it was asked, and the faults that are still to happen."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.archives: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.submissions: list[dict[str, object]] = []
        self.n_left = 5
        self.page: dict[str, object] = {}  # what its page has
        self.n_looks = 0  # at a pending score before it is there
        self.verdict: dict[str, object] = {"status": "COMPLETE", "publicScore": "0.77511"}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.kernels = Kernels()
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def storage(self) -> str:
        return f"http://localhost:{self.server_address[1]}"

    def on(self, endpoint: str, *faults: Fault) -> None:
        """Let these happen to the endpoint's next requests, one each."""
        self.faults[endpoint] += faults

    def always(self, endpoint: str, fault: Fault) -> None:
        self.faults[endpoint] = [fault] * 99

    def asked(self, endpoint: str) -> list[dict[str, str]]:
        """The headers of every request of that endpoint."""
        return [headers for name, headers in self.calls if name == endpoint]

    def handle_error(self, *_: object) -> None:
        """A client that hung up is part of the play."""


class Handler(KernelCalls, BaseHTTPRequestHandler):
    """Answers as Kaggle does: `ListSubmissions`, a path's last part, by `list_submissions`."""

    server: KaggleServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = urlsplit(self.path).path.rsplit("/", 1)[-1]
        if name not in SIGNING_IN and self.headers.get("Authorization") not in SIGNED_IN:
            self.play(name, lambda: self.refuse(401, "Unauthorized"))
        else:
            self.play(name, getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()))

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/output/"):
            self.play("output", lambda: self.send_output(path.removeprefix("/output/")))
        elif "/logs/stream/" in path:
            self.play("log", self.send_log)
        else:
            self.play("storage", self.send_archive)

    def do_PUT(self) -> None:
        self.content = self.rfile.read(int(self.headers["Content-Length"]))
        self.play("upload", self.keep_upload)

    def play(self, endpoint: str, answer: Callable[[], None]) -> None:
        self.server.calls.append((endpoint, dict(self.headers)))
        faults = self.server.faults[endpoint]
        if faults:
            faults.pop(0)(self, answer)
        else:
            answer()

    def introspect_token(self) -> None:
        known = self.asked["token"] == TOKEN
        self.tell({"active": True, "username": USER} if known else {"active": False})

    def generate_access_token(self) -> None:
        if self.asked["refreshToken"] == REFRESH:
            self.tell({"token": TOKEN, "expiresIn": 3600})
        else:
            self.refuse(401, "Unauthorized")

    def download_data_files(self) -> None:
        self.redirect(self.asked["competitionName"])

    def download_dataset(self) -> None:
        self.redirect(self.asked["datasetSlug"])

    def download_leaderboard(self) -> None:
        self.redirect(f"{self.asked['competitionName']}-leaderboard")

    def redirect(self, slug: str) -> None:
        if slug not in self.server.archives:
            self.refuse(404, "Not found")
            return
        self.send_response(302)
        place = f"{self.server.storage}/storage/{slug}.zip"
        self.send_header("Location", f"{place}?X-Signature={SIGNATURE}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_archive(
        self, until: int | None = None, *, etag: bool = True, then: bytes | None = None
    ) -> None:
        """The whole archive, or the range that is asked; nothing from byte `until` on.

        `then` is what the storage holds for every later request.
        """
        name = urlsplit(self.path).path.rsplit("/", 1)[-1].removesuffix(".zip")
        content = self.server.archives[name]
        self.server.archives[name] = then or content
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        if "Range" in self.headers and self.headers.get("If-Range") == tag:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if etag:
            self.send_header("ETag", tag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:until])

    def start_submission_upload(self) -> None:
        token = f"upload-{len(self.server.uploads) + 1}-{self.asked['fileName']}"
        place = f"{self.server.storage}/upload/{token}?upload_id={SIGNATURE}"
        self.tell({"token": token, "createUrl": place})

    def keep_upload(self) -> None:
        self.server.uploads[urlsplit(self.path).path.rsplit("/", 1)[-1]] = self.content
        self.tell({})

    def create_submission(self) -> None:
        self.tell({"message": "Successfully submitted", "ref": self.take()})

    def take(self) -> int:
        """Put the upload into the list of submissions, as pending."""
        token = self.asked["blobFileTokens"]
        return self.list_one(token.split("-", 2)[2], len(self.server.uploads[token]))

    def list_one(self, file_name: str, n_bytes: int) -> int:
        ref = 1000 + len(self.server.submissions)
        submission = {
            "ref": ref,
            "totalBytes": n_bytes,
            "date": datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z",
            "description": self.asked["submissionDescription"],
            "fileName": file_name,
            "status": "PENDING",
            "publicScore": "",
            "privateScore": "",
        }
        self.server.submissions.insert(0, submission)
        return ref

    def list_submissions(self) -> None:
        self.tell({"submissions": self.server.submissions, "nextPageToken": ""})
        if self.server.submissions and self.server.submissions[0]["status"] == "PENDING":
            self.server.n_looks -= 1
            if self.server.n_looks < 0:
                self.server.submissions[0] |= self.server.verdict

    def get_submission_limits(self) -> None:
        made = len(self.server.submissions)
        left = self.server.n_left - made
        self.tell({"numToday": made, "numTotal": made, "numAllowedNow": max(0, left)})

    def refuse(self, status: int, message: str, **headers: str) -> None:
        self.tell({"code": status, "message": message}, status, **headers)

    def tell(self, fields: dict[str, object], status: int = 200, **headers: str) -> None:
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self, *, reset: bool = False) -> None:
        """End the connection; with `reset`, as a router does that forgot it."""
        self.close_connection = True
        if reset:
            while fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4)) != bytes(4):
                time.sleep(0.001)  # a reset throws away what has not arrived yet
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """Keep the tests' own output clean."""


def refuse(status: int, message: str = "a word from Kaggle", **headers: str) -> Fault:
    return lambda handler, _: handler.refuse(status, message, **headers)


def pass_by(handler: Handler, answer: Callable[[], None]) -> None:
    """No fault, this time."""
    answer()


def stall(handler: Handler, _: Callable[[], None]) -> None:
    """No answer, until the test is over."""
    handler.server.ended.wait(STALL_S)
    handler.close_connection = True


def hang_up(handler: Handler, _: Callable[[], None]) -> None:
    handler.hang_up()


def answer_and_hang_up(handler: Handler, answer: Callable[[], None]) -> None:
    """Do what was asked, and let nobody know."""
    handler.tell = lambda *_, **__: None
    answer()
    handler.hang_up()


def cut(until: int, *, reset: bool = False, etag: bool = True, then: bytes | None = None) -> Fault:
    """Break off before byte `until`; `then` is what the storage holds from now on."""

    def fault(handler: Handler, _: Callable[[], None]) -> None:
        handler.send_archive(until, etag=etag, then=then)
        handler.hang_up(reset=reset)

    return fault


def stall_at(until: int) -> Fault:
    def fault(handler: Handler, answer: Callable[[], None]) -> None:
        handler.send_archive(until)
        stall(handler, answer)

    return fault
