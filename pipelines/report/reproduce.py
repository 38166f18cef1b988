"""The command that makes a run again, in full: nothing is left to defaults that were changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from pipelines import competitions
from pipelines.configuration.assignments import settings_of
from pipelines.configuration.competition import Competition
from pipelines.raw_files.raw import RawFiles


def of_run(competition: Competition, raw: RawFiles, device: str) -> str:
    """`foldwise run ...` with every setting that differs from the competition's own file."""
    source = raw.source if raw.source != "path" else "PATH"
    words = ["foldwise", "run", competition.name, "--source", source, "--device", device]
    words.append("--no-tuned")  # what was tuned is told as settings
    return shlex.join([*words, *_differences(competition)])


def _differences(competition: Competition) -> Iterator[str]:
    if competition.name not in competitions.list_competitions():
        return
    own = competitions.load_competition(competition.name)
    names = [member.name for member in competition.members]
    if names != [member.name for member in own.members]:
        yield from ("--members", ",".join(names))
    defaults = settings_of(own)
    for key, value in settings_of(competition).items():
        if key not in defaults or value != defaults[key]:
            yield from ("--set", f"{key}={json.dumps(value)}")
