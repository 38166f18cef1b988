"""Notebooks and the data sets sent to them, as the loopback Kaggle holds them."""

import json
from dataclasses import dataclass, field

LOG = ("installing foldwise\n", "fold 1 of 3\n", "fold 2 of 3\n", "done\n")


@dataclass
class Kernels:
    """What was pushed and sent, and how the newest notebook will fare."""

    pushed: list[dict] = field(default_factory=list)
    datasets: dict[str, list[dict]] = field(default_factory=dict)
    life: list[str] = field(default_factory=lambda: ["QUEUED", "RUNNING", "COMPLETE"])
    unpacking: list[str] = field(default_factory=lambda: ["READY"])
    failure: str = ""
    log: tuple[str, ...] = LOG
    output: dict[str, bytes] = field(default_factory=dict)
    machine: str | None = None  # what it runs on; None for what was asked for
    version: int = 0  # the newest that Kaggle shows; 0 for what was pushed last
    quota: dict = field(
        default_factory=lambda: {
            "quotaRefreshTime": "2026-12-05T00:00:00Z",
            "gpuQuota": {"timeUsed": "18000s", "totalTimeAllowed": "108000s"},
        }
    )
    answer: dict = field(default_factory=dict)  # more fields of the answer to a push
    only: bool = False  # the competition takes notebooks only
    code_submissions: list[dict] = field(default_factory=list)


class KernelCalls:
    """The endpoints of notebooks and data sets; beside those of the handler that inherits them."""

    @property
    def kernels(self) -> Kernels:
        return self.server.kernels

    def save_kernel(self) -> None:
        if "error" in self.kernels.answer:
            self.tell(self.kernels.answer)
            return
        self.kernels.pushed.append(self.asked)
        version = len(self.kernels.pushed)
        url = f"https://www.kaggle.com/code/{self.asked['slug']}"
        self.tell({"versionNumber": version, "url": url, "ref": url} | self.kernels.answer)

    def get_kernel(self) -> None:
        if not self.kernels.pushed:
            self.refuse(404, "Not found")
            return
        asked = self.kernels.pushed[-1].get("machineShape") or "NvidiaTeslaP100"
        machine = asked if self.kernels.machine is None else self.kernels.machine
        version = self.kernels.version or len(self.kernels.pushed)
        self.tell({"metadata": {"currentVersionNumber": version, "machineShape": machine}})

    def get_kernel_session_status(self) -> None:
        if not self.kernels.pushed:
            self.refuse(403, "Permission 'kernels.get' was denied")
            return
        life = self.kernels.life
        word = life.pop(0) if len(life) > 1 else life[0]
        self.tell({"status": word, "failureMessage": self.kernels.failure})

    def list_kernel_session_output(self) -> None:
        names = sorted(self.kernels.output)
        start = int(self.asked.get("pageToken") or 0)
        page = names[start : start + 20]
        files = [
            {"fileName": name, "url": f"{self.server.storage}/output/{name}?X-Signature=s1gn4tur3"}
            for name in page
        ]
        token = str(start + 20) if start + 20 < len(names) else ""
        self.tell({"files": files, "log": self.blob(), "nextPageToken": token})

    def blob(self) -> str:
        return json.dumps(
            [{"stream_name": "stdout", "time": 1.0, "data": d} for d in self.kernels.log]
        )

    def send_log(self, until: int | None = None) -> None:
        """The log as events; nothing from event `until` on."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for text in self.kernels.log[:until]:
            self.wfile.write(f"data: {json.dumps({'data': text})}\n\n".encode())
        if until is None:
            self.wfile.write(b"data: END_OF_LOG\n\n")
        self.close_connection = True

    def send_output(self, name: str, until: int | None = None) -> None:
        content = self.kernels.output[name]
        start = 0
        if "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{len(content)}-{name}"')
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:until])

    def get_accelerator_quota_statistics(self) -> None:
        self.tell(self.kernels.quota)

    def get_competition(self) -> None:
        self.tell({"isKernelsSubmissionsOnly": self.kernels.only} | self.server.page)

    def create_code_submission(self) -> None:
        self.kernels.code_submissions.append(self.asked)
        ref = self.list_one("submission.csv", 0)
        self.tell({"message": "Successfully submitted", "ref": ref})

    def start_blob_upload(self) -> None:
        token = f"blob-{len(self.server.uploads) + 1}-{self.asked['name']}"
        place = f"{self.server.storage}/upload/{token}?upload_id=s1gn4tur3"
        self.tell({"token": token, "createUrl": place})

    def create_dataset(self) -> None:
        address = f"{self.asked['ownerSlug']}/{self.asked['slug']}"
        self.keep_dataset(address, self.asked)

    def create_dataset_version(self) -> None:
        address = f"{self.asked['ownerSlug']}/{self.asked['datasetSlug']}"
        self.keep_dataset(address, self.asked["body"])

    def keep_dataset(self, address: str, sent: dict) -> None:
        tokens = [file["token"] for file in sent["files"]]
        files = {token.split("-", 2)[2]: self.server.uploads[token] for token in tokens}
        version = {"files": files, "private": sent.get("isPrivate")}
        self.kernels.datasets.setdefault(address, []).append(version)
        self.tell({"status": "ok", "ref": address, "error": ""})

    def get_dataset(self) -> None:
        self.of_dataset(lambda versions: {"currentVersionNumber": len(versions)})

    def get_dataset_status(self) -> None:
        states = self.kernels.unpacking
        self.of_dataset(lambda _: {"status": states.pop(0) if len(states) > 1 else states[0]})

    def of_dataset(self, answer) -> None:
        versions = self.kernels.datasets.get(
            f"{self.asked['ownerSlug']}/{self.asked['datasetSlug']}"
        )
        if versions is None:
            self.refuse(404, "Not found")
        else:
            self.tell(answer(versions))


def break_log(until: int):
    """The log's connection breaks before that event."""

    def fault(handler, _):
        handler.send_log(until)
        handler.hang_up()

    return fault


def cut_output(name: str, until: int):
    """The connection breaks within a file of the output."""

    def fault(handler, _):
        handler.send_output(name, until)
        handler.hang_up()

    return fault


def silent_log(handler, _):
    """A log on which nothing comes any more."""
    handler.send_log(1)
    handler.wfile.flush()
    handler.server.ended.wait(30.0)
