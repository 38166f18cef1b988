"""The manifest of a folder of raw files; written last, so that its presence means complete."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.kaggle.transfer import Remote
from pipelines.workspace.files import fingerprint, sha256, sync, write_text

FILE = "manifest.json"


class Facts(BaseModel):
    """One file as it came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    n_bytes: int


class Manifest(BaseModel):
    """What a complete folder holds.

    Attributes:
        key: Changes when the source would fill the folder with something else.
        origin: Where the rows come from, on one line.
        files: By file name, the holdout among them.
        holdout: The name of the file with the labels that were held back.
        remote: Identifies Kaggle's archive that the files came from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    origin: str
    files: dict[str, Facts]
    holdout: str | None
    remote: Remote | None = None

    @property
    def digest(self) -> str:
        """That of `RawFiles` for these files."""
        files = {name: facts.sha256 for name, facts in self.files.items() if name != self.holdout}
        return fingerprint(files)

    def write(self, folder: Path) -> None:
        """Write it once every file that it names is on the disk itself."""
        for name in self.files:
            sync(folder / name)
        sync(write_text(folder / FILE, self.model_dump_json(indent=1) + "\n"))


def read(folder: Path) -> Manifest | None:
    """The folder's manifest, or None where there is no whole one."""
    try:
        return Manifest.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def find(competition: Path, digest: str) -> tuple[Path, Manifest] | None:
    """The folder of a competition's raw files with that digest, and its manifest."""
    for folder in sorted(competition.glob("*/")):
        stated = read(folder)
        if stated is not None and stated.digest == digest:
            return folder, stated
    return None


def changed_files(folder: Path) -> list[str]:
    """Names of files that are missing or differ from the folder's manifest."""
    manifest = read(folder)
    files = manifest.files if manifest else {}
    return [name for name, known in files.items() if facts(folder / name) != known]


def facts(path: Path) -> Facts | None:
    """Size and sha256 of a file; None where there is none."""
    if not path.is_file():
        return None
    return Facts(sha256=sha256(path), n_bytes=path.stat().st_size)
