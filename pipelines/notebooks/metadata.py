"""What Kaggle's client reads of a notebook and a dataset: names, sources, and who may see them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.configuration.competition import Competition

Kind = Literal["train", "predict"]
NO_USER = "YOUR-KAGGLE-NAME"
LONGEST = 30  # characters of the competition's name; Kaggle's titles have at most 50


@dataclass(frozen=True)
class Names:
    """What the notebook and its dataset are called on Kaggle.

    Attributes:
        user: The Kaggle account that they belong to.
        competition: The competition's name in Foldwise.
        kind: Whether the notebook trains or predicts.
    """

    user: str
    competition: str
    kind: Kind

    @property
    def slug(self) -> str:
        """The last part of the notebook's and of the dataset's address."""
        name = re.sub(r"[^a-z0-9]+", "-", self.competition.lower())[:LONGEST].strip("-")
        return f"foldwise-{name}-{self.kind}"

    @property
    def title(self) -> str:
        """A title that Kaggle turns into just that slug."""
        return self.slug.replace("-", " ")

    @property
    def notebook(self) -> str:
        """The notebook's file."""
        return f"{self.slug}.ipynb"

    @property
    def address(self) -> str:
        """User and slug."""
        return f"{self.user}/{self.slug}"


def kernel_metadata(
    names: Names, competition: Competition, *, gpu: bool, public: bool = False
) -> dict[str, Any]:
    """The content of `kernel-metadata.json`: without internet.

    Args:
        names: Of the notebook and its dataset.
        competition: Gives the data.
        gpu: Whether a GPU is asked for.
        public: Whether everybody may see the notebook.

    Raises:
        NotOnKaggleError: Kaggle does not have the competition.
    """
    page = competition.on_kaggle
    is_competition = page.kind == "competition"
    return {
        "id": names.address,
        "title": names.title,
        "code_file": names.notebook,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": not public,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": False,
        "dataset_sources": [names.address, *([] if is_competition else [page.slug])],
        "competition_sources": [page.slug] if is_competition else [],
        "kernel_sources": [],
        "model_sources": [],
    }


def dataset_metadata(names: Names) -> dict[str, Any]:
    """The content of `dataset-metadata.json`; the client makes a dataset private by itself."""
    return {"title": names.title, "id": names.address, "licenses": [{"name": "other"}]}
