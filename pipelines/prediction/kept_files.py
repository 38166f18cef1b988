"""The files of a finished run that predictions of new rows need, and no others."""

from __future__ import annotations

from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.configuration.encoders import encoder_identities
from pipelines.members.member import members_of
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_files import DatasetFiles, EnsembleFiles, TrainFiles


def kept_files(run: Path, competition: Competition) -> list[Path]:
    """What predictions need: tables, models, weights and what encoders took long to learn.

    Args:
        run: The folder of a finished run.
        competition: With the members and settings of the run.
    """
    layout, encoders = RunLayout(run), encoder_identities(competition)
    needed = [layout.run_file, *_files(layout.preprocess), *_files(layout.ensemble)]
    for member in members_of(competition):
        trained = TrainFiles(layout.train(member.name))
        dataset = DatasetFiles(layout.dataset(encoders[member.name].name))
        again = member.trains_again(trained.models)
        needed += _files(trained.models) + _files(trained.refit_models)
        needed += dataset.all_train() if again else dataset.all_expensive()
    stackers = EnsembleFiles(layout.ensemble).stackers.glob("*")
    if not all(any(stacker.iterdir()) for stacker in stackers):  # one is trained again
        for member in members_of(competition):
            made = TrainFiles(layout.train(member.name))
            needed += [made.member, made.curves, made.predictions]
    return list(dict.fromkeys(needed))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
