"""The order of the stages, and the settings, content and code that each of them depends on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from models.executor import LOCAL, Executor
from pipelines.configuration.assignments import member_settings
from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import EncoderIdentity, encoder_identities
from pipelines.console import Narrator, StageLine
from pipelines.members.data import FoldedDataset
from pipelines.members.member import Member, members_of
from pipelines.members.predictions import Predictions
from pipelines.raw_files.raw import RawFiles
from pipelines.stages import dataset, ensemble, memory, preprocess, stage_code, submission, train
from pipelines.stages.run_contents import RunContents
from pipelines.workspace.kept_training import KeptTraining
from pipelines.workspace.layout import (
    ENSEMBLE,
    PREPROCESS,
    SUBMISSION,
    dataset_stage,
    train_stage,
)
from pipelines.workspace.stage_cache import Stage, StageStore, is_whole
from pipelines.workspace.stage_files import DatasetFiles


class Pipeline:
    """Stages 2 to 6; what a stage gave is read when it is first needed, and only once.

    Attributes:
        competition: With the settings of this run.
        raw: What stage 1 gave.
        contents: What the finished stages gave.
        stages: The finished stages by name.
        seconds: By stage, how long it took now; next to nothing where it was unchanged.
    """

    def __init__(
        self,
        competition: Competition,
        raw: RawFiles,
        store: StageStore,
        narrator: Narrator,
        *,
        device: str,
        executor: Executor = LOCAL,
    ) -> None:
        self.competition = competition
        self.raw = raw
        self.contents = RunContents(store.run)
        self.stages: dict[str, Stage] = {}
        self.seconds: dict[str, float] = {}
        self._store = store
        self._narrator = narrator
        self._device = device
        self._is_warned = False
        self._executor = executor

    def run(self) -> None:
        """Do every stage that is not finished."""
        self.train()
        self._ensemble()
        self._submission()

    def prepare(self) -> preprocess.Prepared:
        """Stage 2 alone."""
        self._preprocess()
        return self.prepared

    def train(self) -> None:
        """Stages 2 to 4."""
        self._preprocess()
        for member in self._one_of_each_encoder():
            self._dataset(member)
        members = members_of(self.competition)
        self._executor.each([partial(self._train, member) for member in members])
        self._in_order(train_stage(member.name) for member in members)

    def _in_order(self, names: Iterable[str]) -> None:
        """Note stages that ended in any order as if each had ended after the one before."""
        for name in names:
            self.stages[name] = self.stages.pop(name)
            self.seconds[name] = self.seconds.pop(name)

    def damaged_stages(self) -> list[str]:
        """Names of the stages of a finished run that are not as they were written, or gone."""
        encoders = dict.fromkeys(encoder.name for encoder in self.encoders.values())
        names = [
            *(PREPROCESS, *map(dataset_stage, encoders)),
            *(train_stage(member.name) for member in self.competition.members),
            *(ENSEMBLE, SUBMISSION),
        ]
        return [name for name in names if not is_whole(self.contents.layout.stages / name)]

    def dataset_of(self, member: Member) -> FoldedDataset:
        """Stages 2 and 3 for one member alone."""
        self._preprocess()
        self._dataset(member)
        return self.encoded(member)

    def encoded(self, member: Member) -> FoldedDataset:
        """What stage 3 gave for the member."""
        folder = self.contents.layout.dataset(self.encoders[member.name].name)
        return dataset.load(folder, self.prepared, member.inputs)

    def predictions_of(self, member: Member) -> Predictions:
        """Stages 2 to 4 for one member alone."""
        self._preprocess()
        self._dataset(member)
        self._train(member)
        return self.contents.predictions_of(member.name)

    @cached_property
    def encoders(self) -> dict[str, EncoderIdentity]:
        """By member, the identity of its encoder."""
        return encoder_identities(self.competition)

    @property
    def prepared(self) -> preprocess.Prepared:
        """What stage 2 gave."""
        return self.contents.prepared

    @property
    def predictions(self) -> list[Predictions]:
        """What stage 4 gave, in the order of the members."""
        return [self.contents.predictions_of(member.name) for member in self.competition.members]

    @property
    def blend(self) -> ensemble.Blend:
        """What stage 5 gave."""
        return self.contents.blend

    @cached_property
    def submission(self) -> submission.Submission:
        """What stage 6 gave."""
        folder = self.contents.layout.submission
        return submission.describe(self.competition, self.prepared, self.blend, folder)

    def _preprocess(self) -> None:
        def make(folder: Path, _: StageLine) -> None:
            self._warn(memory.warning(self.competition, self.raw))
            preprocess.save(preprocess.prepare(self.competition, self.raw), folder)

        self._do(
            PREPROCESS,
            "2 preprocess",
            make,
            settings=self._settings(
                *("folds", "columns", "classes", "id", "target", "submission_column", "task"),
                *("file_format", "missing", "weight", "form", "answer_columns", "submission_id"),
                *("metric", "extra_files", "extra_training_files"),
            ),
            upstream=[self.raw.digest],
            code=stage_code.of_preprocess(self.competition),
        )

    def _one_of_each_encoder(self) -> list[Member]:
        """The first member of each encoder."""
        first: dict[str, Member] = {}
        for member in members_of(self.competition):
            first.setdefault(self.encoders[member.name].name, member)
        return list(first.values())

    def _dataset(self, member: Member) -> None:
        encoder = self.encoders[member.name]

        def make(folder: Path, line: StageLine) -> None:
            views = dataset.encoded_views(self.prepared, member.encoder, line.advance)
            dataset.save(views, folder)

        self._do(
            dataset_stage(encoder.name),
            f"3 dataset · {encoder.name}",
            make,
            settings={"encoder": encoder.as_settings()},
            upstream=self._content(PREPROCESS),
            code=stage_code.of_dataset(member.encoder),
        )

    def _train(self, member: Member) -> None:
        encoder = self.encoders[member.name]
        encoded = dataset_stage(encoder.name)
        kept, title = self._kept(member), f"4 train · {member.name}"

        def make(folder: Path, line: StageLine) -> None:
            source = self.stages[encoded].folder
            data = dataset.load(source, self.prepared, member.inputs)
            self._warn(memory.training_warning(member.name, data, DatasetFiles(source)))
            with self._executor.shown(title, line.note):
                made = train.train(
                    self.competition,
                    member,
                    data,
                    device=self._device,
                    progress=line.advance,
                    checkpoints=kept,
                    executor=self._executor,
                )
            train.save(member, made, folder)

        self._do(
            train_stage(member.name),
            title,
            make,
            settings={
                **self._settings("metric", "extra_metrics", "classes", "target", "task", "weight"),
                "member": member_settings(member, encoder.as_settings()),
                "device": self._device,
                **member.file_digests(),
            },
            upstream=self._content(PREPROCESS, encoded),
            code=stage_code.of_train(member, self.competition),
            kept=kept,
        )

    def _kept(self, member: Member) -> KeptTraining:
        """Where a training is kept while it is unfinished."""
        folder = self.contents.layout.unfinished(train_stage(member.name))
        return KeptTraining(
            folder, lambda text: self._narrator.say("note", f"{member.name}: {text}")
        )

    def _ensemble(self) -> None:
        def make(folder: Path, _: StageLine) -> None:
            prepared = self.prepared
            settings = ensemble.EnsembleSettings.of(self.competition)
            blend = ensemble.ensemble(
                settings,
                settings.goal(prepared),
                prepared.folds,
                self.predictions,
                tables=(prepared.train, prepared.test),
            )
            ensemble.check_defined(blend, self.competition.metric)
            ensemble.save(blend, folder)

        self._do(
            ENSEMBLE,
            "5 ensemble",
            make,
            settings=self._settings("blend", "metric", "extra_metrics", "second_level", "task"),
            upstream=self._content(*(train_stage(m.name) for m in self.competition.members)),
            code=stage_code.of_ensemble(self.competition),
        )

    def _submission(self) -> None:
        def make(folder: Path, _: StageLine) -> None:
            submission.write(self.competition.predicts, self.prepared, self.blend, folder)

        self._do(
            SUBMISSION,
            "6 submission",
            make,
            settings=self._settings("form", "classes", "id", "target", "submission_column", "task"),
            upstream=self._content(PREPROCESS, ENSEMBLE),
            code=stage_code.of_submission(),
        )

    def _warn(self, of_memory: str | None) -> None:
        """Tell that memory may be short, once in a run."""
        if of_memory is not None and not self._is_warned:
            self._is_warned = True
            self._narrator.warn(of_memory)

    def _settings(self, *names: str) -> dict[str, Any]:
        return self.competition.model_dump(mode="json", include=set(names))

    def _content(self, *names: str) -> list[str]:
        return [self.stages[name].content for name in names]

    def _do(
        self, name: str, title: str, make: Callable[[Path, StageLine], None], **ingredients: Any
    ) -> None:
        start = time.perf_counter()
        with self._narrator.stage(title) as line:
            stage = self._store.do(name, lambda folder: make(folder, line), **ingredients)
            self.seconds[name] = time.perf_counter() - start
            line.end(status=stage.status, seconds=self.seconds[name])
        self.stages[name] = stage
