"""What is known of a notebook that was pushed: an interrupted command goes on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipelines.workspace import files, stored

NAME = "pushed.json"


class Record(BaseModel):
    """What was sent to Kaggle, and how far it came there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset_content: str = ""
    dataset_version: int = 0
    content: str = ""  # of the notebook and its dataset; written before the push
    before: int = 0  # the newest version before the push
    version: int = 0  # of the push; 0 as long as Kaggle has not told
    address: str = ""
    end: Literal["", "complete", "error", "cancelled"] = ""

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Of that folder; an empty one where nothing was pushed.

        Raises:
            DamagedFileError: The file holds something else.
        """
        path = folder / NAME
        if not path.is_file():
            return cls()
        return stored.read(cls, path, f"remove it: rm {path}, and type the same command again")

    def write(self, folder: Path) -> None:
        """Keep it there."""
        folder.mkdir(parents=True, exist_ok=True)
        files.write_text(folder / NAME, self.model_dump_json(indent=1) + "\n")

    def changed(self, folder: Path, **fields: object) -> Record:
        """With other values, kept there."""
        new = self.model_copy(update=fields)
        new.write(folder)
        return new
