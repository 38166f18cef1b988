"""What a competition knows of its members, whatever their kind: a name, an encoder, its arrays.

The kinds themselves are in `pipelines.members`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from features.encoders.base import Encoded as Encoded
from features.encoders.base import Encoder as Encoder
from pipelines.configuration.field_names import with_suggestions
from pipelines.configuration.search_space import Search


class Settings(BaseModel):
    """A frozen model; an unknown field is an error that suggests a known one."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_fields(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise with_suggestions(error, list(cls.model_fields)) from None


class MemberSettings(Settings):
    """What all members have: a name, an encoder, and which of its arrays they read.

    Attributes:
        name: Unique among the competition's members.
        encoder: Makes an unfitted encoder: a function or class without arguments, a lambda, a
            `functools.partial`. Members that share it share its dataset stage.
        encoder_name: The name of the encoder's stage; needed where two functions or classes of
            one name make different encoders.
        inputs: By keyword of the network's `forward` (`x_num` for other models), the encoder's
            arrays that it reads side by side; empty for the encoder's arrays as they are.
        search: By dotted key (`train.lr`), the values that a study may try.
    """

    name: str
    encoder: Callable[[], Encoder] = Field(exclude=True)
    encoder_name: str | None = Field(None, min_length=1, exclude=True)
    inputs: dict[str, tuple[str, ...]] = {}
    search: Search = Field({}, exclude=True)
