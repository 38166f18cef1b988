"""Runs and studies of the own competition, and what a person hears of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.executor import LOCAL
from pipelines import competitions
from pipelines.configuration.search_space import Real, Search, Whole
from pipelines.console import Narrator
from pipelines.members.member import members_of
from pipelines.raw_files.sources import choose_source
from pipelines.stages.download import download
from pipelines.stages.pipeline import Pipeline
from pipelines.tuning.optimise import StudyOptions, StudyPlan, run_study
from pipelines.tuning.study import Study
from pipelines.tuning.trials import Bench
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.stage_cache import StageStore

SPACES: dict[str, Search] = {
    "mlp": {"train.lr": Real(low=1e-3, high=0.5, log=True)},
    "trees": {"trees.num_leaves": Whole(low=2, high=16)},
}


class Told(Narrator):
    """Keeps what a person is told."""

    def __init__(self, narrator: Narrator) -> None:
        super().__init__(narrator.console)
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def pipeline(folder: Path, narrator: Narrator, executor: Any, names: Any = None) -> Pipeline:
    """The stages of the own competition, in a folder of their own."""
    competition = competitions.load_competition("own")
    members = tuple(m for m in members_of(competition) if names is None or m.name in names)
    competition = competition.model_copy(update={"members": members})
    raw = download(competition, choose_source("files", competition), folder / "data")
    store = StageStore(RunLayout(folder / "run"))
    return Pipeline(competition, raw, store, narrator, device="cpu", executor=executor)


def run(folder: Path, narrator: Narrator, executor: Any, names: Any = None) -> dict[str, bytes]:
    """Every file that the stages write, but for what tells when and how long."""
    with narrator.stages():
        made = pipeline(folder, narrator, executor, names)
        made.run()
    trained = [name for name in made.stages if name.startswith("train-")]
    assert trained == [f"train-{member.name}" for member in members_of(made.competition)]
    stages = folder / "run" / "stages"
    return {
        str(path.relative_to(stages)): path.read_bytes()
        for path in sorted(stages.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def study(folder: Path, name: str, narrator: Narrator, executor: Any, **options: Any) -> Study:
    """A study of a member of the own competition, in a folder of its own."""
    made = pipeline(folder, narrator, LOCAL, [name])
    (member,) = members_of(made.competition)
    space = SPACES[name]
    with narrator.stages():
        bench = Bench(made.competition, member, made.dataset_of(member), 1, "cpu")
    plan = StudyPlan("own", folder, space, {}, True, options=StudyOptions(**options))
    return run_study(plan, bench, executor=executor)
