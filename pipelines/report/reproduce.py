"""The command that reproduces a run, with every setting that was changed spelled out."""

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
    words.append("--no-tuned")  # tuned values are among the settings
    return shlex.join([*words, *_differences(competition)])


def _differences(competition: Competition) -> Iterator[str]:
    if competition.name not in competitions.list_competitions():
        return
    shipped = competitions.load_competition(competition.name)
    names = [member.name for member in competition.members]
    if names != [member.name for member in shipped.members]:
        yield from ("--members", ",".join(names))
    defaults = settings_of(shipped)
    for key, value in settings_of(competition).items():
        if key not in defaults or value != defaults[key]:
            yield from ("--set", f"{key}={json.dumps(value)}")
