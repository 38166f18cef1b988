"""The code that each stage depends on, as a digest: an edit elsewhere leaves the stage in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.members.member import members_of
from pipelines.workspace.files import fingerprint
from pipelines.workspace.provenance import code_digest

if TYPE_CHECKING:
    from features.encoders.base import Encoder
    from pipelines.configuration.competition import Competition
    from pipelines.members.member import Member

STAGES = "pipelines.stages"


def of_preprocess(competition: Competition) -> str:
    """The digest for stage 2; of the competition's code what its features and joins use."""
    parsed = [extra.parse for extra in competition.extra_files.values() if extra.parse]
    joined = [competition.join] if competition.join else []
    return _digest("preprocess", competition.features, *joined, *parsed)


def of_dataset(encoder: Callable[[], Encoder]) -> str:
    """The digest for stage 3 of one encoder."""
    return _digest("dataset", encoder)


def of_train(member: Member) -> str:
    """The digest for stage 4 of one member: its kind, and what its settings are made of."""
    fields = type(member).model_fields.items()
    settings = [getattr(member, name) for name, field in fields if not field.exclude]
    return _digest("train", type(member), *settings)


def of_ensemble(competition: Competition) -> str:
    """The digest for stage 5; of the competition's code its stackers and what they are given."""
    second_level, overlap = competition.second_level, competition.train_test_overlap
    return _digest(
        "ensemble",
        second_level.stackers,
        second_level.context_features,
        overlap and overlap.is_new,
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
            *map(of_train, members_of(competition)),
            of_ensemble(competition),
            of_submission(),
        ]
    )


def _digest(stage: str, *brought: Any) -> str:
    return code_digest([f"{STAGES}.{stage}"], brought)
