"""`foldwise notebook`: a notebook for Kaggle's machines, and the dataset with what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from pipelines.commands.options import Name, console, grouped

if TYPE_CHECKING:
    from pipelines.notebooks.folder import Written

KINDS = ("train", "predict")


@dataclass(frozen=True)
class NotebookOptions:
    """What the notebook does, whose it is, and where it goes."""

    kind: Annotated[
        str | None,
        typer.Option(
            metavar="train|predict",
            help="train there, or predict there with a run's models; default: predict if RUN-ID",
        ),
    ] = None
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="your Kaggle name; default: of your token")
    ] = None
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="default: notebooks/COMPETITION-KIND")
    ] = None


@grouped
def notebook(
    name: Name,
    options: NotebookOptions,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN-ID]", help="a finished run, or best")
    ] = None,
) -> None:
    """Write a Kaggle notebook that trains there, or predicts there with a run's models.

    Beside it lies its dataset: this package as a wheel, and of a run the files that predictions
    need. Both are private, and the notebook needs no internet.
    """
    from pipelines.credential_files import kaggle_user
    from pipelines.notebooks.folder import NotebookRequest, write_notebook
    from pipelines.notebooks.metadata import NO_USER

    kind = options.kind or ("predict" if run_id else "train")
    if kind not in KINDS:
        raise typer.BadParameter(f"--kind is train or predict, found {kind!r}")
    request = NotebookRequest(
        kind=cast(Literal["train", "predict"], kind),
        run_id=run_id,
        user=options.user or kaggle_user() or NO_USER,
        out=options.out,
    )
    _tell(write_notebook(name, request))


def _tell(written: Written) -> None:
    """What was written, and what to type next."""
    from pipelines.console import Narrator
    from pipelines.notebooks.metadata import NO_USER

    narrator = Narrator(console())
    narrator.say("notebook", str(written.kernel / written.names.notebook))
    narrator.say("dataset", f"{written.dataset}   {_size(written.dataset)}")
    if written.summary is not None:
        score = f"{written.summary.metric} {written.summary.cv:.4f}"
        narrator.say("run", f"{written.summary.run}   {score} cross-validated")
    if written.names.user == NO_USER:
        narrator.warn(f"no Kaggle name found, so it is {NO_USER}; give yours with --user NAME")
    narrator.say("next", f"kaggle datasets create -p {written.dataset} -r zip")
    narrator.say("", f"kaggle kernels push -p {written.kernel}")


def _size(folder: Path) -> str:
    from pipelines.sizes import shown

    return shown(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
