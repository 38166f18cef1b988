"""The plan of an earlier run, carried out again without a clock."""

from __future__ import annotations

from pathlib import Path

from pipelines.configuration.assignments import as_stored
from pipelines.configuration.competition import Competition, SecondLevel
from pipelines.workspace import run_folders
from pipelines.workspace.layout import RUN_FILE, RunLayout, Workspace


class PlanError(ValueError):
    """A plan that does not exist, or is not the competition's."""

    exit_code = 2


def competition_of(competition: Competition, run: str, root: Path) -> Competition:
    """The competition with the folds, members and settings that the run trained.

    Args:
        competition: As its file has it.
        run: A run's id in this workspace, or the path of a run's folder or of its `run.json`.
        root: The workspace.

    Raises:
        PlanError: There is no such run, or it is another competition's.
        DamagedFileError: Its `run.json` holds something else.
    """
    folder = _folder(competition, run, root)
    stored = run_folders.describe(folder, keys=("configuration",))["configuration"]
    if stored.get("name") != competition.name:
        raise PlanError(
            f"--plan {run}: found a run of {stored.get('name')}, expected one of "
            f"{competition.name}; type foldwise runs {competition.name} to see them"
        )
    same = as_stored(competition, stored)
    if stored.get("second_level", {}).get("stackers") == {}:  # there was no time for it
        return same.model_copy(update={"second_level": SecondLevel()})
    return same


def _folder(competition: Competition, run: str, root: Path) -> Path:
    given = Path(run)
    folders = (
        Workspace(root).run(competition.name, run).folder,
        given.parent if given.name == RUN_FILE else given,
    )
    for folder in folders:
        if RunLayout(folder).run_file.is_file():
            return folder
    raise PlanError(
        f"--plan {run}: no such run of {competition.name}, expected a run's id or the path of its "
        f"folder; type foldwise runs {competition.name} to see them"
    )
