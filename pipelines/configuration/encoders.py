"""An encoder's identity: the name of its stage, and the settings that tell it from others."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from features.encoders.base import EncoderBlocks, chosen_blocks, is_stateless
from pipelines.configuration.canonical import canonical, text_of
from pipelines.configuration.competition import Competition
from pipelines.configuration.member_settings import Encoder, MemberSettings

Maker = Callable[[], Encoder]
UNSAFE = re.compile(r"[^\w.-]")
LONGEST_NAME = 100  # characters, so that every file system takes the folder


class EncoderNameError(RuntimeError):
    """Two different encoders have one name."""

    exit_code = 2


class NoEncoderError(RuntimeError):
    """What should make an encoder makes something else."""

    exit_code = 2


@dataclass(frozen=True)
class EncoderIdentity:
    """What tells an encoder from every other one of its competition.

    Members whose encoders have the same identity share one dataset stage.

    Attributes:
        name: Safe as a part of a folder's name.
        settings: The unfitted encoder as JSON values: class and parameters.
    """

    name: str
    settings: Any

    def as_settings(self) -> dict[str, Any]:
        """Both as plain JSON values, for the fingerprints of stages and runs."""
        return asdict(self)


def encoder_identities(competition: Competition) -> dict[str, EncoderIdentity]:
    """By member, the identity of its encoder.

    The name is the member's `encoder_name`, else that of the function or class that makes the
    encoder. Lambdas, local functions, partials and other objects have no name that tells them
    apart; theirs is that of the first member that uses the encoder, for example `trees-encoder`.

    Raises:
        EncoderNameError: two different encoders have one name.
        NoEncoderError: What should make an encoder makes something else.
    """
    settings = _Settings()
    identity_of = {}
    for member in competition.members:
        name = member.encoder_name or _name_of(member.encoder)
        if name is None:
            name = f"{_first_user(competition, member, settings)}-encoder"
        identity_of[member.name] = EncoderIdentity(_safe(name), settings.of(member.encoder))
    _check(competition, identity_of)
    return identity_of


def check_encoders(competition: Competition) -> None:
    """Check the names of all encoders, those of optional members among them.

    Raises:
        EncoderNameError: two different encoders have one name.
        NoEncoderError: What should make an encoder makes something else.
    """
    members = (*competition.members, *competition.optional_members)
    encoder_identities(competition.model_copy(update={"members": members}))


def with_read_blocks(members: Sequence[MemberSettings]) -> tuple[MemberSettings, ...]:
    """The members with encoders that lack the blocks which none of them reads.

    A block may take most of a run's time: distances to neighbours, for instance.
    """
    users: dict[str, list[MemberSettings]] = {}
    for member in members:
        name = member.encoder_name or _name_of(member.encoder)
        if name is not None:
            users.setdefault(name, []).append(member)
    changed: dict[str, MemberSettings] = {}
    for name, sharing in users.items():
        maker = _reduced(sharing)
        update = {"encoder": maker, "encoder_name": name}
        changed |= {m.name: m.model_copy(update=update) for m in sharing if maker is not None}
    return tuple(changed.get(member.name, member) for member in members)


def encoder_parts(competition: Competition) -> dict[str, dict[str, Maker]]:
    """By member, what it reads of its encoder: by the part's name, what makes a part alone.

    The parts are the encoder's blocks where it has some and the member names them, else the
    encoder itself.
    """
    identities = encoder_identities(competition)
    return {m.name: _parts(m, identities[m.name].name) for m in competition.members}


def _parts(member: MemberSettings, encoder: str) -> dict[str, Maker]:
    made = member.encoder()
    if not isinstance(made, EncoderBlocks):
        return {encoder: member.encoder}
    read = [name for names in member.inputs.values() for name in names] or list(made.blocks)
    return {
        f"{encoder}/{name}": partial(chosen_blocks, member.encoder, (name,))
        for name in made.blocks
        if name in read
    }


def _reduced(sharing: Sequence[MemberSettings]) -> Maker | None:
    """The maker of these members' encoder without unread blocks; None where there are none."""
    if not all(member.inputs for member in sharing):
        return None  # one of them reads all arrays
    read = {name for m in sharing for names in m.inputs.values() for name in names}
    maker = sharing[0].encoder
    made = maker()
    if not isinstance(made, EncoderBlocks) or read >= set(made.blocks):
        return None
    return partial(chosen_blocks, maker, tuple(name for name in made.blocks if name in read))


class _Settings:
    """The settings of what each maker makes; a maker is called once."""

    def __init__(self) -> None:
        self._known: list[tuple[Maker, Any]] = []

    def of(self, maker: Maker) -> Any:
        for known, settings in self._known:
            if known is maker:
                return settings
        settings = canonical(_made(maker))
        self._known.append((maker, settings))
        return settings


def _made(maker: Maker) -> Encoder:
    """A new encoder of it.

    Raises:
        NoEncoderError: It is none.
    """
    made = maker()
    if not hasattr(made, "transform") or not (hasattr(made, "fit") or is_stateless(made)):
        found = "nothing" if made is None else f"a {type(made).__name__}"
        raise NoEncoderError(
            f"{_origin(maker)} returns {found}, expected an encoder, which has fit and transform; "
            "return one, for example TabularEncoder(numeric=[...]), in the competition's file"
        )
    return made


def _name_of(maker: Maker) -> str | None:
    """The name of a function or class that stands at the top of its module, else None."""
    name = getattr(maker, "__name__", None)
    is_named = inspect.isroutine(maker) or inspect.isclass(maker) or hasattr(maker, "__wrapped__")
    is_at_the_top = name == getattr(maker, "__qualname__", None) and name != "<lambda>"
    return name if is_named and is_at_the_top else None


def _first_user(competition: Competition, member: MemberSettings, settings: _Settings) -> str:
    """The first member of the whole competition that has this encoder without a name."""
    wanted = text_of(settings.of(member.encoder))
    return next(
        other.name
        for other in _all_members(competition)
        if other.name == member.name
        or (
            (other.encoder_name or _name_of(other.encoder)) is None
            and text_of(settings.of(other.encoder)) == wanted
        )
    )


def _all_members(competition: Competition) -> Iterator[MemberSettings]:
    """Every member in the order of the competition's file, whichever of them were chosen."""
    present = {member.name: member for member in competition.members}
    for member in competition.declared_members:
        yield present.pop(member.name, member)
    yield from present.values()


def _check(competition: Competition, identity_of: dict[str, EncoderIdentity]) -> None:
    users: dict[str, MemberSettings] = {}
    for member in competition.members:
        name = identity_of[member.name].name
        first = users.setdefault(name, member)
        if text_of(identity_of[first.name].settings) != text_of(identity_of[member.name].settings):
            raise EncoderNameError(
                f"competition {competition.name}: members {first.name} and {member.name} have "
                f"different encoders of one name, found {name!r} from {_origin(first.encoder)} "
                f"and from {_origin(member.encoder)}, expected a name for each; add "
                f'encoder_name="{member.name}-{name}" to {member.name} in the competition\'s file'
            )


def _origin(maker: Maker) -> str:
    named = maker if hasattr(maker, "__qualname__") else type(maker)
    return f"{named.__module__}.{named.__qualname__}"


def _safe(name: str) -> str:
    """The name with what no file system takes written as `%` and a number."""
    identity_of = UNSAFE.sub(lambda found: quote(found[0], safe=""), name)
    if len(identity_of.encode()) <= LONGEST_NAME:
        return identity_of
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{identity_of[: LONGEST_NAME // 4]}-{digest}"
