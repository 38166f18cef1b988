"""The folder of a notebook: what is pushed as a notebook, and what is sent as its dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.competitions import OWN_FOLDER, load_competition, own_file
from pipelines.configuration.assignments import changes
from pipelines.configuration.competition import Competition
from pipelines.notebooks.cells import Contents, predict_cells, train_cells
from pipelines.notebooks.metadata import Kind, Names, dataset_metadata, kernel_metadata
from pipelines.notebooks.notebook_file import notebook_text
from pipelines.notebooks.wheel import write_wheel
from pipelines.prediction.kept_files import kept_files
from pipelines.prediction.predictor import Predictor
from pipelines.workspace import files, finished_runs, stage_cache
from pipelines.workspace.competition_code import with_files_beside
from pipelines.workspace.layout import RunLayout, Workspace
from pipelines.workspace.summary import Summary
from submissions.whole_file import WRITING

KERNEL, DATASET = "kernel", "dataset"
KERNEL_FILE, DATASET_FILE = f"{KERNEL}-metadata.json", f"{DATASET}-metadata.json"


class NotOurFolderError(FileExistsError):
    """A folder that holds something else than a notebook of Foldwise."""

    exit_code = 2


@dataclass(frozen=True)
class NotebookRequest:
    """What is asked of a notebook.

    Attributes:
        kind: Whether it trains there, or predicts there from a run's kept models.
        run_id: The run, or `best`; None for the newest, and to train by the competition's file.
        user: The Kaggle account.
        out: The folder to write; None for one in the workspace.
        root: The workspace.
        public: Whether everybody may see the notebook.
    """

    kind: Kind
    run_id: str | None
    user: str
    out: Path | None = None
    root: Path = Path()
    public: bool = False


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        folder: Holds the two others.
        names: What notebook and dataset are called.
        summary: Of the run that the notebook goes back to; None where it goes back to none.
    """

    folder: Path
    names: Names
    summary: Summary | None

    @property
    def kernel(self) -> Path:
        """The folder that is pushed."""
        return self.folder / KERNEL

    @property
    def dataset(self) -> Path:
        """The folder that is sent as a dataset."""
        return self.folder / DATASET


def write_notebook(name: str, request: NotebookRequest) -> Written:
    """Write the folder of a notebook, whole or not at all; one of an earlier time is replaced.

    Raises:
        NotOnKaggleError: Kaggle does not have the competition.
        NoRunError: There is no such finished run.
        PredictorError: The run lacks files that predictions need, or other code made it.
        NotOurFolderError: The folder exists and holds something else.
    """
    contents, run = _contents(name, request)
    names = Names(request.user, name, request.kind)
    folder = request.out or Workspace(request.root).notebook(name, request.kind)
    gpu = _wants_gpu(request.kind, run)
    metadata = kernel_metadata(names, contents.competition, gpu=gpu, public=request.public)
    with _replaced(folder) as new:
        written = Written(new, names, contents.summary)
        cells = train_cells(contents) if request.kind == "train" else predict_cells(contents)
        written.kernel.mkdir()
        files.write_text(written.kernel / names.notebook, notebook_text(cells))
        _write_json(written.kernel / KERNEL_FILE, metadata)
        _write_dataset(written, contents, run if request.kind == "predict" else None)
    return Written(folder, names, contents.summary)


def _contents(name: str, request: NotebookRequest) -> tuple[Contents, RunLayout | None]:
    """What the notebook shows, and the run that it goes back to."""
    competition = load_competition(name)
    own = own_file(name)
    if request.kind == "train" and request.run_id is None:
        return Contents(competition, None, {}, own), None
    workspace = Workspace(request.root)
    summary = finished_runs.newest(workspace, name, request.run_id)
    run = workspace.run(name, summary.run)
    then = Predictor.open(run.folder, competition).competition
    if request.kind == "predict":
        _check_stages(run, then)
    return Contents(then, summary, changes(then, competition), own), run


def _check_stages(run: RunLayout, competition: Competition) -> None:
    """Check that what predictions need is there, as the run has left it.

    Raises:
        DamagedFileError: A file is gone or has changed.
    """
    trained = [run.train(member.name) for member in competition.members]
    for stage in (run.preprocess, *trained, run.ensemble):
        stage_cache.check(run, stage=stage.name)


def _wants_gpu(kind: Kind, run: RunLayout | None) -> bool:
    """Training does; predictions do where the run's own were made on one."""
    if kind == "train" or run is None:
        return True
    described = json.loads(run.run_file.read_text(encoding="utf-8"))
    return str(described.get("device", "")).startswith("cuda")


def _write_dataset(written: Written, contents: Contents, run: RunLayout | None) -> None:
    """The wheel, the competition's own file, and of a run the files that predictions need."""
    target = written.dataset
    target.mkdir()
    _write_json(target / DATASET_FILE, dataset_metadata(written.names))
    write_wheel(target)
    if contents.own_file is not None:
        for path in with_files_beside(contents.own_file):
            beside = path.relative_to(contents.own_file.parent)
            files.copy(path, target / OWN_FOLDER / beside)
    if run is not None:
        copy = Workspace(target).run(run.competition, run.run_id).folder
        for path in (*kept_files(run.folder, contents.competition), run.summary_file):
            files.copy(path, copy / path.relative_to(run.folder))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    files.write_text(path, json.dumps(content, indent=2) + "\n")


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside that one, which takes its place if the block ends well.

    Raises:
        NotOurFolderError: The folder exists and holds something else.
    """
    if folder.exists() and not (folder / KERNEL / KERNEL_FILE).is_file() and any(folder.iterdir()):
        raise NotOurFolderError(
            f"{folder} holds something else than a notebook of foldwise; give another --out"
        )
    new = folder.with_name(f".{folder.name}{WRITING}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
