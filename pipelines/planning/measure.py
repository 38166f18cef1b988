"""The costs of a competition's run: those that are known of this machine, and measured ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.configuration.assignments import resolved
from pipelines.configuration.canonical import canonical
from pipelines.configuration.encoders import EncoderIdentity, encoder_identities, encoder_parts
from pipelines.members.member import members_of
from pipelines.members.predictions import Problem
from pipelines.planning import probe
from pipelines.planning.costs import Costs, EncoderCost, MemberCost
from pipelines.planning.probe import Encoding
from pipelines.planning.speeds import LEAST_PACE, MOST_PACE, Kept, Speeds, scaled

if TYPE_CHECKING:
    from features.encoders.base import Encoder
    from pipelines.configuration.competition import Competition
    from pipelines.members.member import Member
    from pipelines.stages.preprocess import Prepared

LEAST_PUBLISH_S = 0.4
ROWS_PER_S = 2e5  # of a submission, written and checked


@dataclass
class Measuring:
    """The costs of a competition's run on one machine.

    Attributes:
        competition: With all members that may run.
        prepared: Its tables.
        digest: Of its raw files.
        device: Where networks are trained.
        speeds: What is known of the machine.
        folder: For encoded parts of the rows.
    """

    competition: Competition
    prepared: Prepared
    digest: str
    device: str
    speeds: Speeds
    folder: Path

    def __post_init__(self) -> None:
        self._encodings: dict[str, Encoding] = {}

    @property
    def knows_all(self) -> bool:
        """Whether an earlier run on this machine has measured every member and encoder."""
        members = [self.speeds.of(self.key_of(one)) for one in members_of(self.competition)]
        encoders = [
            self.speeds.of(self._encoder_key(name, maker))
            for parts in encoder_parts(self.competition).values()
            for name, maker in parts.items()
        ]
        return None not in members and None not in encoders

    def costs(self, preprocess_s: float, tell: Callable[[str], None]) -> Costs:
        """All costs; tells the name of what is measured.

        Args:
            preprocess_s: Seconds that stage 2 took.
            tell: Hears what is measured next.
        """
        encoders, costs = {}, {}
        for parts in encoder_parts(self.competition).values():
            for name, maker in parts.items():
                if name not in encoders:
                    tell(name)
                    encoders[name] = self._encoder(name, maker)
        for one in members_of(self.competition):
            tell(one.name)
            costs[one.name] = self._member(one)
        tell("ensemble")
        return Costs(preprocess_s, encoders, costs, self._blend(), self._publish_s)

    def remember(self, one: Member, cost: MemberCost, ratio: float) -> None:
        """Correct a member's cost by what its training took in fact.

        Args:
            one: The member.
            cost: What it was thought to cost.
            ratio: How many times the seconds were those that the cost had made expect.
        """
        corrected = scaled(cost, min(max(ratio, LEAST_PACE), MOST_PACE))
        self.speeds.keep(self.key_of(one), member=corrected)
        self.speeds.write()

    def known(self, members: Iterable[Member], costs: Costs) -> Costs:
        """The costs with those of further members, as far as they are known already."""
        found = {one.name: self.speeds.of(self.key_of(one)) for one in members}
        known = {name: kept.member for name, kept in found.items() if kept and kept.member}
        return replace(costs, members={**costs.members, **known})

    def key_of(self, one: Member) -> dict[str, Any]:
        """What a member's cost depends on: not on its name, length, seeds and learning rate."""
        settings = probe.with_seeds(one, 1).of_length(1).model_dump(mode="json")
        settings.pop("name")
        return self._key("member", self._identity(one).as_settings(), settings)

    @cached_property
    def identities(self) -> Mapping[str, EncoderIdentity]:
        """By member, the identity of its encoder."""
        return encoder_identities(self.competition)

    def _encoder(self, name: str, maker: Callable[[], Encoder]) -> EncoderCost:
        key = self._encoder_key(name, maker)
        kept = self.speeds.of(key)
        if kept is None or kept.encoder is None:
            kept = self.speeds.keep(key, encoder=self._tried_encoder(name, maker))
        assert kept.encoder is not None, "it was kept as an encoder's"
        return kept.encoder

    def _encoder_key(self, name: str, maker: Callable[[], Encoder]) -> dict[str, Any]:
        return self._key("encoder", name, canonical(maker()))

    def _tried_encoder(self, name: str, maker: Callable[[], Encoder]) -> EncoderCost:
        """Few rows are encoded once, to try the members on; that shows the cost as well."""
        users = [m for m in members_of(self.competition) if self._identity(m).name == name]
        if users and len(self.prepared.train) <= probe.TRIED_ROWS:
            return self._encoding(users[0]).cost
        return probe.encoder(maker, self.prepared, self.folder / "parts" / name)

    def _member(self, one: Member) -> MemberCost:
        kept: Kept | None = self.speeds.of(self.key_of(one))
        if kept is None or kept.member is None:
            kept = self.speeds.keep(self.key_of(one), member=self._tried(one))
        assert kept.member is not None, "it was kept as a member's"
        return kept.member

    def _tried(self, one: Member) -> MemberCost:
        encoded, problem = self._encoding(one), Problem.of(self.competition)
        data = encoded.dataset(one)
        scale = len(self.prepared.train) / len(data.target)
        timer = probe.Timer(self.device)
        trial = probe.Trial(one, problem, data, self.device, scale, timer)
        return probe.member(trial, encoded.n_bytes)

    def _blend(self) -> float:
        blend = {name: resolved(self.competition)[name] for name in ("second_level", "metric")}
        key = self._key("blend", blend, len(self.competition.members))
        kept = self.speeds.of(key)
        if kept is None or kept.seconds is None:
            kept = self.speeds.keep(key, seconds=probe.blend(self.competition, self.prepared))
        return kept.seconds or 0.0

    @property
    def _publish_s(self) -> float:
        return LEAST_PUBLISH_S + len(self.prepared.test) / ROWS_PER_S

    def _identity(self, one: Member) -> EncoderIdentity:
        return self.identities[one.name]

    def _encoding(self, one: Member) -> Encoding:
        """A part of the rows, encoded once for all members of an encoder."""
        name = self._identity(one).name
        if name not in self._encodings:
            place = self.folder / "encoded" / name
            self._encodings[name] = probe.encoding(one.encoder, self.prepared, place)
        return self._encodings[name]

    def _key(self, kind: str, *parts: Any) -> dict[str, Any]:
        return {"kind": kind, "data": self.digest, "device": self.device, "of": list(parts)}
