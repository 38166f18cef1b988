"""The code that each stage depends on, as a digest: an edit elsewhere leaves the stage in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.configuration.typed_code import text_of_typed
from pipelines.members.member import members_of
from pipelines.workspace.competition_code import code_of
from pipelines.workspace.files import fingerprint
from pipelines.workspace.provenance import code_digest

if TYPE_CHECKING:
    from features.encoders.base import Encoder
    from pipelines.configuration.competition import Competition
    from pipelines.members.member import Member

STAGES = "pipelines.stages"


def of_preprocess(competition: Competition) -> str:
    """The digest for stage 2; of the competition's code what features, joins and metric use."""
    parsed = [extra.parse for extra in competition.extra_files.values() if extra.parse]
    joined = [competition.join] if competition.join else []
    return _digest(
        "preprocess", competition.features, *joined, *parsed, competition.metric.function
    )


def of_dataset(encoder: Callable[[], Encoder]) -> str:
    """The digest for stage 3 of one encoder."""
    return _digest("dataset", encoder)


def of_train(member: Member, competition: Competition) -> str:
    """The digest for stage 4 of one member: its kind, its settings' code, and the metrics'."""
    fields = type(member).model_fields.items()
    settings = [getattr(member, name) for name, field in fields if not field.exclude]
    return _digest("train", type(member), *settings, *_metrics(competition))


def of_ensemble(competition: Competition) -> str:
    """The digest for stage 5; of the competition's code its stackers and what they are given."""
    second_level, overlap = competition.second_level, competition.train_test_overlap
    return _digest(
        "ensemble",
        second_level.stackers,
        second_level.context_features,
        overlap and overlap.is_new,
        *_metrics(competition),
    )


def of_submission() -> str:
    """The digest for stage 6."""
    return _digest("submission")


def of_run(competition: Competition) -> str:
    """The digest for a whole run: that of all its stages."""
    encoders = dict.fromkeys(member.encoder for member in competition.members)
    return fingerprint(
        [
            of_preprocess(competition),
            *map(of_dataset, encoders),
            *(of_train(member, competition) for member in members_of(competition)),
            of_ensemble(competition),
            of_submission(),
        ]
    )


def _metrics(competition: Competition) -> list[Callable[..., float]]:
    return [metric.function for metric in (competition.metric, *competition.extra_metrics)]


def _module(value: Any) -> str:
    return str(getattr(value, "__module__", ""))


def _digest(stage: str, *brought: Any) -> str:
    digest = code_digest([f"{STAGES}.{stage}"], brought)
    typed = sorted(map(text_of_typed, code_of(brought).typed))
    return fingerprint([digest, typed]) if typed else digest
