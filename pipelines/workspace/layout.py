"""Where everything of a workspace and of a run lies; no path or stage name is spelled elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from submissions.ledger import FILE as LEDGER

PREPROCESS, ENSEMBLE, SUBMISSION = "preprocess", "ensemble", "submission"  # names of stages
DATASET, TRAIN = "dataset-", "train-"  # what the names of the others begin with
RUN_FILE, SUMMARY_FILE, LOCK_FILE = "run.json", "summary.json", ".lock"
ERROR_LOG = "error.log"
FIGURES = "figures"  # of a run, a study or a comparison of losses


def is_stage(name: str) -> bool:
    """Whether a part of a run with that name is a stage with a folder."""
    return name in (PREPROCESS, ENSEMBLE, SUBMISSION) or name.startswith((DATASET, TRAIN))


def dataset_stage(encoder: str) -> str:
    """The name of the stage that encodes by that encoder."""
    return f"{DATASET}{encoder}"


def train_stage(member: str) -> str:
    """The name of the stage that trains that member."""
    return f"{TRAIN}{member}"


def submission_csv(competition: str, run_id: str) -> Path:
    """The copy of a run's CSV that is there to be sent, relative to the workspace."""
    return Path("submissions") / competition / f"{run_id}.csv"


@dataclass(frozen=True)
class Workspace:
    """A folder that holds raw files, runs, studies, submissions and the MLflow store."""

    root: Path = Path()

    @property
    def data(self) -> Path:
        """The raw files of all competitions."""
        return self.root / "data"

    @property
    def all_runs(self) -> Path:
        """The runs of all competitions."""
        return self.root / "runs"

    @property
    def error_log(self) -> Path:
        """Tracebacks of what nobody foresaw, outside any run."""
        return self.all_runs / ERROR_LOG

    @property
    def cleaning_lock(self) -> Path:
        """Held by the one process that removes folders."""
        return self.all_runs / ".cleaning.lock"

    @property
    def speeds(self) -> Path:
        """How fast this machine trains, as it was measured."""
        return self.all_runs / "speeds.json"

    @property
    def unsent(self) -> Path:
        """What an MLflow server has missed."""
        return self.all_runs / "unsent"

    @property
    def database(self) -> Path:
        """The local MLflow store."""
        return self.root / "mlflow.db"

    @property
    def database_lock(self) -> Path:
        """Held by the process that makes the local MLflow store."""
        return self.root / ".mlflow.db.lock"

    @property
    def ledger(self) -> Path:
        """The list of everything that was made to be sent."""
        return self.root / LEDGER

    @property
    def never_removed(self) -> dict[str, list[Path]]:
        """By what it is, what a person alone may remove."""
        return {
            "MLflow": [self.database, self.root / "mlartifacts"],
            "studies": [self.root / "studies"],
            "submissions": [self.root / "submissions"],
        }

    def artifacts(self, experiment: str) -> Path:
        """Artifacts of an experiment in the local MLflow store."""
        return self.root / "mlartifacts" / experiment

    def runs(self, competition: str) -> Path:
        """The runs of one competition."""
        return self.all_runs / competition

    def run(self, competition: str, run_id: str) -> RunLayout:
        """One run."""
        return RunLayout(self.runs(competition) / run_id)

    def finished(self, competition: str = "*") -> Iterator[RunLayout]:
        """Finished runs of one competition, or of all, in no order."""
        found = self.all_runs.glob(f"{competition}/*/{SUMMARY_FILE}")
        return (RunLayout(path.parent) for path in found if path.is_file())

    def trial_run(self, competition: str, study: str) -> RunLayout:
        """Stages made for a study; they lie beside the runs, so that both share what they can."""
        return RunLayout(self.runs(competition) / f"tune-{study}")

    def comparison(self, first: str, second: str) -> Path:
        """The page that sets two runs side by side."""
        return self.all_runs / "compare" / f"{first}-and-{second}.html"

    def study(self, competition: str, member: str) -> Path:
        """A member's study, its figures and its tuned values."""
        return self.root / "studies" / competition / member

    def notebook(self, competition: str, kind: str) -> Path:
        """A notebook for Kaggle's machines that trains or predicts, and its dataset."""
        return self.root / "notebooks" / f"{competition}-{kind}"

    def on_kaggle(self, slug: str) -> Path:
        """What is known of a notebook that was pushed, and its output."""
        return self.root / "notebooks" / "on-kaggle" / slug

    def submissions(self, competition: str) -> Path:
        """CSVs of a competition's runs, there to be sent."""
        return self.root / "submissions" / competition


@dataclass(frozen=True)
class RunLayout:
    """Where everything of one run lies.

    Attributes:
        folder: The run's own; named by its id, in the folder of its competition.
    """

    folder: Path

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def competition(self) -> str:
        """The name of its competition."""
        return self.folder.parent.name

    @property
    def run_file(self) -> Path:
        """What was asked; written first."""
        return self.folder / RUN_FILE

    @property
    def summary_file(self) -> Path:
        """The run in numbers; written last, so that its presence means finished."""
        return self.folder / SUMMARY_FILE

    @property
    def lock_file(self) -> Path:
        """Held by the process that makes the run."""
        return self.folder / LOCK_FILE

    @property
    def evidence_file(self) -> Path:
        """What the report shows, as data."""
        return self.folder / "report.json"

    @property
    def error_log(self) -> Path:
        """Tracebacks of what nobody foresaw."""
        return self.folder / ERROR_LOG

    @property
    def report_file(self) -> Path:
        """The report's page."""
        return self.folder / "report.html"

    @property
    def model_file(self) -> Path:
        """What an MLflow model of the run takes, gives and needs."""
        return self.folder / "model.json"

    @property
    def figures(self) -> Path:
        """The run's pictures."""
        return self.folder / FIGURES

    @property
    def stages(self) -> Path:
        """The folders of all stages, by name."""
        return self.folder / "stages"

    @property
    def preprocess(self) -> Path:
        """Stage 2."""
        return self.stages / PREPROCESS

    def dataset(self, encoder: str) -> Path:
        """Stage 3 of one encoder."""
        return self.stages / dataset_stage(encoder)

    def train(self, member: str) -> Path:
        """Stage 4 of one member."""
        return self.stages / train_stage(member)

    def unfinished(self, stage: str) -> Path:
        """How far a stage is that takes long; removed when the stage is finished."""
        return self.stages / f".{stage}.unfinished"

    @property
    def ensemble(self) -> Path:
        """Stage 5."""
        return self.stages / ENSEMBLE

    @property
    def submission(self) -> Path:
        """Stage 6."""
        return self.stages / SUBMISSION

    def elsewhere(self, stage: str, file: str) -> Iterator[RunLayout]:
        """The competition's other runs that have that file in that stage, newest first."""
        found = self.folder.parent.glob(f"*/{self.stages.name}/{stage}/{file}")
        others = (RunLayout(path.parents[2]) for path in sorted(found, reverse=True))
        return (run for run in others if run.folder != self.folder)
