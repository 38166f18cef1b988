"""What a drafted competition is called, and where its file goes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipelines import competitions
from pipelines.configuration.competition import Kaggle

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
PAGE = re.compile(r"https?://(www\.)?kaggle\.com/(competitions|c|datasets)/")


class DraftPlaceError(ValueError):
    """A name that cannot be used, or a file that is there already."""

    exit_code = 2


@dataclass(frozen=True)
class Place:
    """Where the file goes.

    Attributes:
        path: The file.
        name: The competition's name.
        folder: As typed after `--competitions`; None where the file is found without it.
    """

    path: Path
    name: str
    folder: str | None = None

    @property
    def is_shipped(self) -> bool:
        """Whether the file lies in the checkout."""
        return competitions.SHIPPED.parents[1].resolve() in self.path.resolve().parents


def read_slug(text: str) -> Kaggle:
    """The page of a competition or data set, from its slug or address.

    Raises:
        DraftPlaceError: It is neither.
    """
    slug = PAGE.sub("", text.strip()).split("?")[0].strip("/")
    if not SLUG.fullmatch(slug):
        raise DraftPlaceError(
            f"found the slug {text!r}, expected the last part of a competition's address, such as "
            "titanic or playground-series-s3e1, or OWNER/NAME of a data set"
        )
    return Kaggle(slug=slug, kind="dataset" if "/" in slug else "competition")


def find_place(kaggle: Kaggle, name: str | None, *, force: bool) -> Place:
    """Where the competition's file goes: into the checkout, or the folder where a person works.

    Args:
        kaggle: Its page.
        name: As typed; None to take the slug.
        force: Whether a file that is there may be replaced.

    Raises:
        DraftPlaceError: The name cannot be used, or a competition has it already.
    """
    stem = _stem(name or kaggle.slug.split("/")[-1], is_typed=name is not None)
    typed = os.environ.get(competitions.FURTHER_FOLDERS, "").split(os.pathsep)[-1] or None
    path = _folder(typed) / f"{stem}.py"
    place = Place(path, stem.replace("_", "-"), typed)
    if path.exists() and not force:
        raise DraftPlaceError(
            f"{path}: there is such a file already; add --force to replace it, or --name to call "
            "the new one otherwise"
        )
    if not path.exists() and _is_taken(place):
        raise DraftPlaceError(
            f"there is a competition {place.name!r} already; add --name to call the new one "
            "otherwise"
        )
    return place


def _folder(typed: str | None) -> Path:
    if typed is not None:
        folder = Path(typed)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    shipped = Path("pipelines") / "competitions"
    in_checkout = shipped.is_dir() and shipped.resolve() == competitions.SHIPPED.resolve()
    return shipped if in_checkout else competitions.OWN_FOLDER


def _stem(name: str, *, is_typed: bool) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if stem[:1].isdigit() and not is_typed:
        stem = f"c_{stem}"
    if not stem.isidentifier() or (is_typed and not re.fullmatch(r"[A-Za-z][\w-]*", name)):
        raise DraftPlaceError(
            f"found the name {name!r}, expected letters, digits and '-' that begin with a letter; "
            "type another --name"
        )
    return stem


def _is_taken(place: Place) -> bool:
    return place.name in competitions.list_competitions()
