"""What the stages of a run made, each part read from disk when first needed, and only once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines.stages import ensemble, preprocess, train
from pipelines.workspace import run_folders

if TYPE_CHECKING:
    from pipelines.members.predictions import Predictions
    from pipelines.workspace.layout import RunLayout

NEEDED = ("configuration", "data", "device", "code", "started", "git_commit", "versions")


class RunContents:
    """The values of stages 2, 4 and 5, and what was asked.

    Everyone who looks at a run gets the same object handed on: stages, figures, report, MLflow
    record and predictor.

    Attributes:
        layout: Where the run's files lie.
    """

    def __init__(self, layout: RunLayout) -> None:
        self.layout = layout
        self._predictions: dict[str, Predictions] = {}

    @cached_property
    def described(self) -> dict[str, Any]:
        """What `run.json` holds: configuration, source, data, device, code and versions.

        Raises:
            DamagedFileError: It holds something else.
        """
        return run_folders.describe(self.layout.folder, keys=NEEDED)

    @cached_property
    def prepared(self) -> preprocess.Prepared:
        """What stage 2 gave."""
        return preprocess.load(self.layout.preprocess)

    @cached_property
    def blend(self) -> ensemble.Blend:
        """What stage 5 gave."""
        return ensemble.load(self.layout.ensemble)

    def predictions_of(self, member: str) -> Predictions:
        """What stage 4 gave for the member."""
        if member not in self._predictions:
            self._predictions[member] = train.load(self.layout.train(member))
        return self._predictions[member]
