"""What goes to Kaggle, as it lies on disk: a notebook, its dataset, and the names of both."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.notebooks.folder import DATASET, DATASET_FILE, KERNEL, KERNEL_FILE
from pipelines.workspace import files
from pipelines.workspace.layout import Workspace

TOO_SHORT, LONGEST_TITLE = 5, 50  # characters of a title
ADDRESS = re.compile(r"[\w.-]+/[\w.-]+(/\d+)?")  # OWNER/NAME, with a version or without


class PackageError(ValueError):
    """A notebook or dataset that Kaggle would not take, or would take for another one."""

    exit_code = 2


@dataclass(frozen=True)
class Package:
    """A notebook and its dataset, as `foldwise notebook` writes them.

    Attributes:
        folder: Holds both.
    """

    folder: Path

    @property
    def kernel(self) -> Path:
        """The folder that is pushed."""
        return self.folder / KERNEL

    @property
    def dataset(self) -> Path:
        """The folder that is sent as a dataset."""
        return self.folder / DATASET

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Of the notebook."""
        return _json(self.kernel / KERNEL_FILE)

    @property
    def address(self) -> str:
        """Of the notebook: OWNER/NAME."""
        return str(self.metadata.get("id") or "")

    @property
    def dataset_address(self) -> str:
        """Of the dataset: OWNER/NAME."""
        return str(_json(self.dataset / DATASET_FILE).get("id") or "")

    @property
    def is_public(self) -> bool:
        """Whether everybody may see the notebook."""
        return self.metadata.get("is_private") is False

    def run_of(self, competition: str) -> str | None:
        """The run that the notebook predicts with; None for one that trains."""
        found = sorted(Workspace(self.dataset).runs(competition).glob("*/summary.json"))
        return found[0].parent.name if found else None

    @cached_property
    def dataset_content(self) -> str:
        """A digest of the dataset's files."""
        return _digest(self.dataset)

    def content(self, accelerator: str | None) -> str:
        """A digest of all that Kaggle runs."""
        return files.fingerprint([_digest(self.kernel), self.dataset_content, accelerator])

    def check(self, user: str) -> None:
        """Look for what Kaggle would refuse, or take in a way that nobody means.

        Source: issues 377, 433, 689 and 847 of Kaggle/kaggle-cli.

        Args:
            user: The account that pushes it.

        Raises:
            PackageError: With every fault that was found.
        """
        faults = [*self._names(user), *self._sources(), *self._notebook()]
        if faults:
            raise PackageError(
                f"{self.folder}: {'; '.join(faults)}; correct that, or write it again: "
                "foldwise notebook"
            )

    def _names(self, user: str) -> list[str]:
        faults = []
        title, (owner, _, slug) = str(self.metadata.get("title")), self.address.partition("/")
        if not ADDRESS.fullmatch(self.address) or self.address.count("/") != 1:
            faults.append(f"{KERNEL_FILE} has the id {self.address!r}, expected OWNER/NAME")
        elif slug_of(title) != slug:
            faults.append(
                f"{KERNEL_FILE} has the title {title!r}, which Kaggle turns into "
                f"{slug_of(title)!r}, and the id ends in {slug!r}"
            )
        if not TOO_SHORT <= len(title) <= LONGEST_TITLE:
            faults.append(f"the title has {len(title)} characters, expected {TOO_SHORT} to 50")
        if user and owner.lower() != user.lower():
            faults.append(f"it belongs to {owner!r}, and the account is {user!r}")
        return faults

    def _sources(self) -> list[str]:
        faults = []
        for source in self.metadata.get("dataset_sources") or []:
            if not ADDRESS.fullmatch(source) or source.startswith(("datasets/", "dataset/")):
                faults.append(
                    f"{KERNEL_FILE} has the dataset source {source!r}, expected OWNER/NAME"
                )
        for source in self.metadata.get("competition_sources") or []:
            if "/" in source:
                faults.append(
                    f"{KERNEL_FILE} has the competition source {source!r}, expected its name alone"
                )
        return faults

    def _notebook(self) -> list[str]:
        path = self.kernel / str(self.metadata.get("code_file") or "")
        if not path.is_file():
            return [f"there is no notebook {path}, which {KERNEL_FILE} names"]
        kernel = (_json(path).get("metadata") or {}).get("kernelspec") or {}
        named = kernel.get("name")
        return [] if named else [f"{path.name} names no kernel in metadata.kernelspec.name"]


def slug_of(title: str) -> str:
    """The last part of the address that Kaggle gives a notebook of that title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _digest(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return files.fingerprint([(str(p.relative_to(folder)), files.sha256(p)) for p in paths])


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PackageError(
            f"{path}: there is no such file, expected what foldwise notebook writes; name its "
            "folder, as --folder notebooks/titanic-train"
        ) from None
    except ValueError as error:
        raise PackageError(f"{path}: is no JSON ({error}); write it again") from None
    if not isinstance(content, dict):
        raise PackageError(f"{path}: found a {type(content).__name__}, expected a JSON object")
    return content
