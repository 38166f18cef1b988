"""Sends a dataset and pushes its notebook, each once; shows the GPU time before any is spent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

from pipelines.console import Narrator
from pipelines.kaggle.client import Kaggle
from pipelines.kaggle.errors import AGAIN, NotTakenError, Subject
from pipelines.kaggle.retry import Patience
from pipelines.notebooks.package import Package
from pipelines.notebooks.pushed import Record
from pipelines.sizes import shown
from pipelines.workspace.layout import Workspace

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0  # between looks at a dataset that Kaggle unpacks
LONGEST_S = 900.0  # of all of them


@dataclass(frozen=True)
class Push:
    """A push that is asked for.

    Attributes:
        package: What goes to Kaggle.
        place: Where its record is kept.
        accelerator: As Kaggle's client takes it; None for what the metadata ask for.
        again: Whether to push also what has run already.
    """

    package: Package
    place: Path
    accelerator: str | None = None
    again: bool = False

    @property
    def notebook(self) -> Subject:
        """The notebook, as errors name it."""
        return Subject(self.package.address, "notebook", left="nothing was pushed")

    @property
    def content(self) -> str:
        """A digest of all that Kaggle runs."""
        return self.package.content(self.accelerator)

    @property
    def uses_gpu(self) -> bool:
        """Whether GPU time is spent."""
        named = self.accelerator or self.package.metadata.get("machine_shape") or ""
        if named:
            return "tpu" not in str(named).lower()
        return str(self.package.metadata.get("enable_gpu")).lower() == "true"


def push_once(kaggle: Kaggle, push: Push, patience: Patience, narrator: Narrator) -> Record:
    """Push the notebook, unless Kaggle runs or has run that content already.

    Raises:
        KaggleError: Kaggle refused or could not be reached, runs other content under that name, or
            has no GPU time left.
    """
    record = Record.read(push.place)
    newest = _newest(kaggle, push, record)
    if (earlier := _earlier(push, record, newest)) is not None:
        narrator.say("pushed", f"earlier, as version {earlier.version}; not pushed again")
        return earlier
    _refuse_beside_another(kaggle, push, newest)
    _show_gpu_time(kaggle, push, narrator)
    record = _send_dataset(kaggle, push, record, patience, narrator)
    return _push(kaggle, push, record, newest, narrator)


def _newest(kaggle: Kaggle, push: Push, record: Record) -> int:
    """The newest version that Kaggle has; 0 where it has no such notebook."""
    seen = kaggle.kernels.look(push.notebook)
    return 0 if seen is None else seen.version or record.version or 1


def _earlier(push: Push, record: Record, newest: int) -> Record | None:
    """The record of an earlier push of that content, if it is Kaggle's newest and did not fail."""
    if record.content != push.content or push.again:
        return None
    if not record.version and newest > record.before:  # Kaggle's answer did not arrive
        record = record.changed(push.place, version=newest, address=push.package.address)
    if not record.version or record.version != newest or record.end in ("error", "cancelled"):
        return None
    return record


def _refuse_beside_another(kaggle: Kaggle, push: Push, newest: int) -> None:
    state = kaggle.kernels.state(push.notebook) if newest else None
    if state is not None and not state.is_over:
        raise push.notebook.failed(
            f"version {newest} of {push.package.address} is {state.word} there, and it is not "
            "what would be pushed now",
            f"wait for it, or cancel it at {push.notebook.page}, and {AGAIN}",
        )


def _show_gpu_time(kaggle: Kaggle, push: Push, narrator: Narrator) -> None:
    if not push.uses_gpu:
        return
    time = kaggle.kernels.gpu_time(push.notebook)
    if time is None:
        narrator.say("gpu time", "Kaggle does not tell what is left this week")
        return
    renewed = time.renewed_utc and f"{time.renewed_utc.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    until = f", renewed {renewed}" if renewed else ""
    narrator.say("gpu time", f"{_hours(time.left)} of {_hours(time.allowed)} left{until}")
    if not time.left:
        raise push.notebook.failed(
            f"the account has no GPU time left this week ({_hours(time.used)} used)",
            f"type the same command after {renewed or 'Kaggle renews it'}",
        )


def _hours(time: timedelta) -> str:
    return f"{time / timedelta(hours=1):.1f} h"


def _send_dataset(
    kaggle: Kaggle, push: Push, record: Record, patience: Patience, narrator: Narrator
) -> Record:
    """Send the dataset's files, unless Kaggle has them, and wait until notebooks can use them."""
    package = push.package
    subject = Subject(package.dataset_address, "dataset", left="no notebook was pushed")
    before = kaggle.datasets.version(subject)
    if before and (record.dataset_content, record.dataset_version) == (
        package.dataset_content,
        before,
    ):
        narrator.say("dataset", f"{subject.slug}   unchanged, version {before}")
    else:
        # The files of a run hold training rows, which most rules do not let anybody publish.
        public = package.is_public and not any(Workspace(package.dataset).all_runs.glob("*"))
        note = f"foldwise {package.dataset_content[:12]}"
        kaggle.datasets.send(subject, package.dataset, note, before=before, public=public)
        sent = f"{_size(package.dataset)}, version {before + 1}"
        narrator.say("dataset", f"{subject.slug}   {sent}{_seen_by(before, public=public)}")
        record = record.changed(
            push.place, dataset_content=package.dataset_content, dataset_version=before + 1
        )
    _wait_until_ready(kaggle, subject, record.dataset_version, patience)
    return record


def _seen_by(before: int, *, public: bool) -> str:
    """Who may see a new dataset; of one that was there Kaggle leaves it as it is."""
    return "" if before else ", public" if public else ", private"


def _wait_until_ready(kaggle: Kaggle, subject: Subject, version: int, patience: Patience) -> None:
    waited, pause = 0.0, FIRST_PAUSE_S
    while True:
        state = kaggle.datasets.state(subject)
        if state == "failed":
            raise subject.failed(
                f"Kaggle could not unpack the dataset {subject.slug}", f"look at {subject.page}"
            )
        if state == "ready" and kaggle.datasets.version(subject) >= version:
            return
        if waited >= LONGEST_S:
            raise subject.failed(
                f"Kaggle still unpacks the dataset {subject.slug} after {waited:g} s",
                f"look at {subject.page}, and {AGAIN}: it is not sent twice",
            )
        pause = min(pause, LONGEST_S - waited)
        patience.sleep(pause)
        waited, pause = waited + pause, min(pause * 1.5, LONGEST_PAUSE_S)


def _push(kaggle: Kaggle, push: Push, record: Record, newest: int, narrator: Narrator) -> Record:
    """Push; the intention is kept first, so that a command killed here pushes nothing twice."""
    record = record.changed(
        push.place, content=push.content, before=newest, version=0, address="", end=""
    )
    try:
        pushed = kaggle.kernels.push(
            push.notebook, push.package.kernel, accelerator=push.accelerator, before=newest
        )
    except NotTakenError:
        record.changed(push.place, content="")
        raise
    subject = Subject(pushed.address, "notebook")
    record = record.changed(push.place, version=pushed.version, address=pushed.address)
    who = "public" if push.package.is_public else "private"
    narrator.say("pushed", f"version {pushed.version}, {who}   {subject.page}")
    if pushed.address != push.package.address:
        narrator.warn(f"Kaggle calls it {pushed.address}, not {push.package.address}")
    if pushed.not_added:
        record.changed(push.place, content="")
        raise subject.failed(
            f"Kaggle pushed version {pushed.version} without its inputs "
            f"{', '.join(pushed.not_added)}",
            f"cancel it at {subject.page}; are the rules accepted, and do the inputs exist? "
            f"Then {AGAIN}",
        )
    return record


def _size(folder: Path) -> str:
    return shown(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
