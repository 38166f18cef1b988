"""The order of the stages, and what each of them depends on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.configuration.assignments import member_settings
from pipelines.configuration.competition import Competition, Encoder
from pipelines.console import Advance, Narrator
from pipelines.members.data import FoldedDataset
from pipelines.members.member import Member, members_of
from pipelines.members.predictions import Predictions
from pipelines.stages import dataset, ensemble, preprocess, submission, train
from pipelines.stages.download import RawFiles
from pipelines.workspace.stage_cache import Stage, StageStore

PREPROCESS_CODE = ("pipelines.stages.preprocess", "features.tables.schema", "features.folds")
DATASET_CODE = ("pipelines.stages.dataset", "pipelines.members.data", "features")
TRAIN_CODE = ("pipelines.stages.train", "pipelines.members", "models")
ENSEMBLE_CODE = ("pipelines.stages.ensemble", "pipelines.stages.train_test_overlap", "models")
SUBMISSION_CODE = ("pipelines.stages.submission", "submissions.build", "submissions.check")
CODE = (*PREPROCESS_CODE, *DATASET_CODE, *TRAIN_CODE, *ENSEMBLE_CODE, *SUBMISSION_CODE)


class Pipeline:
    """Stages 2 to 6; a value is loaded only when a later stage asks for it."""

    def __init__(
        self,
        competition: Competition,
        raw: RawFiles,
        store: StageStore,
        narrator: Narrator,
        *,
        device: str,
    ) -> None:
        self.competition = competition
        self.raw = raw
        self.stages: dict[str, Stage] = {}
        self._store = store
        self._narrator = narrator
        self._device = device

    def run(self) -> None:
        """Do every stage that is not done."""
        self._preprocess()
        for encoder in dict.fromkeys(member.encoder for member in self.competition.members):
            self._dataset(encoder)
        for member in members_of(self.competition):
            self._train(member)
        self._ensemble()
        self._submission()

    def dataset_of(self, member: Member) -> FoldedDataset:
        """Stages 2 and 3 for one member alone, done if they are not."""
        self._preprocess()
        self._dataset(member.encoder)
        return self.encoded(member)

    def encoded(self, member: Member) -> FoldedDataset:
        """What stage 3 gave for the member."""
        folder = self.stages[f"dataset-{member.encoder.__name__}"].folder
        return dataset.load(folder, self.prepared, member.inputs)

    def predictions_of(self, member: Member) -> Predictions:
        """Stages 2 to 4 for one member alone, done if they are not."""
        self._preprocess()
        self._dataset(member.encoder)
        self._train(member)
        return train.load(self.stages[f"train-{member.name}"].folder)

    @cached_property
    def prepared(self) -> preprocess.Prepared:
        """What stage 2 gave."""
        return preprocess.load(self.stages["preprocess"].folder)

    @cached_property
    def predictions(self) -> list[Predictions]:
        """What stage 4 gave, in the order of the members."""
        stages = (self.stages[f"train-{member.name}"] for member in self.competition.members)
        return [train.load(stage.folder) for stage in stages]

    @cached_property
    def blend(self) -> ensemble.Blend:
        """What stage 5 gave."""
        return ensemble.load(self.stages["ensemble"].folder)

    @cached_property
    def submission(self) -> submission.Submission:
        """What stage 6 gave."""
        folder = self.stages["submission"].folder
        return submission.describe(self.competition, self.prepared, self.blend, folder)

    def _preprocess(self) -> None:
        def make(folder: Path, _: Advance) -> None:
            preprocess.save(preprocess.prepare(self.competition, self.raw), folder)

        self._do(
            "preprocess",
            "2 preprocess",
            make,
            settings=self._settings(
                *("folds", "columns", "classes", "id", "target", "numbered", "answer"),
                *("separator", "quoting"),
            ),
            upstream=[self.raw.digest],
            code=(*PREPROCESS_CODE, self.competition.features.__module__),
        )

    def _dataset(self, encoder: Callable[[], Encoder]) -> None:
        def make(folder: Path, advance: Advance) -> None:
            dataset.save(dataset.encoded_views(self.prepared, encoder, advance), folder)

        self._do(
            f"dataset-{encoder.__name__}",
            f"3 dataset · {encoder.__name__}",
            make,
            settings={"encoder": encoder.__name__},
            upstream=self._content("preprocess"),
            code=(*DATASET_CODE, encoder.__module__),
        )

    def _train(self, member: Member) -> None:
        encoded = f"dataset-{member.encoder.__name__}"

        def make(folder: Path, advance: Advance) -> None:
            data = dataset.load(self.stages[encoded].folder, self.prepared, member.inputs)
            made = train.train(
                self.competition, member, data, device=self._device, progress=advance
            )
            train.save(member, made, folder)

        self._do(
            f"train-{member.name}",
            f"4 train · {member.name}",
            make,
            settings={
                **self._settings("metric", "also", "classes"),
                "member": member_settings(member),
                "device": self._device,
                **member.file_digests(),
            },
            upstream=self._content("preprocess", encoded),
            code=(*TRAIN_CODE, *member.code_modules()),
        )

    def _ensemble(self) -> None:
        def make(folder: Path, _: Advance) -> None:
            prepared = self.prepared
            blend = ensemble.ensemble(
                self.competition,
                prepared.target,
                prepared.folds,
                self.predictions,
                tables=(prepared.train, prepared.test),
            )
            ensemble.save(blend, folder)

        self._do(
            "ensemble",
            "5 ensemble",
            make,
            settings=self._settings("blend", "metric", "also", "stackers"),
            upstream=self._content(*(f"train-{m.name}" for m in self.competition.members)),
            code=(*ENSEMBLE_CODE, *self._kin_code()),
        )

    def _submission(self) -> None:
        def make(folder: Path, _: Advance) -> None:
            submission.write(self.competition, self.prepared, self.blend, folder)

        self._do(
            "submission",
            "6 submission",
            make,
            settings=self._settings("form", "classes", "id", "target", "answer"),
            upstream=self._content("preprocess", "ensemble"),
            code=SUBMISSION_CODE,
        )

    def _kin_code(self) -> tuple[str, ...]:
        """What the competition's own file and `features` bring to the ensemble."""
        brought = (self.competition.kin, self.competition.known)
        return ("features", self.competition.features.__module__) if any(brought) else ()

    def _settings(self, *names: str) -> dict[str, Any]:
        return self.competition.model_dump(mode="json", include=set(names))

    def _content(self, *names: str) -> list[str]:
        return [self.stages[name].content for name in names]

    def _do(
        self, name: str, title: str, make: Callable[[Path, Advance], None], **ingredients: Any
    ) -> None:
        with self._narrator.stage(title) as line:
            stage = self._store.do(name, lambda folder: make(folder, line.advance), **ingredients)
            line.end(status=stage.status, seconds=stage.seconds)
        self.stages[name] = stage
