"""The command line: registers every command, and turns errors into one line and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.exceptions import TyperException

from pipelines.commands import (
    blend,
    clean,
    kaggle,
    losses,
    mlflow,
    new,
    nodes,
    notebook,
    predict,
    report,
    root,
    run,
    submit,
    tune,
)
from pipelines.program import PROGRAM, as_typed

if TYPE_CHECKING:
    from pipelines.kaggle.retry import Patience

app = typer.Typer(
    epilog=root.EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "new": new.new,
    "run": run.run,
    "compare-losses": losses.compare_losses,
    "predict": predict.predict,
    "list": run.list_,
    "show": run.show,
    "tune": tune.tune,
    "blend": blend.blend,
    "notebook": notebook.notebook,
    "submit": submit.submit,
    "runs": submit.runs,
    "leaderboard": submit.leaderboard,
    "pick": submit.pick,
    "check": submit.check,
    "mlflow": mlflow.mlflow,
    "report": report.report,
    "compare": report.compare,
    "sync": mlflow.sync,
    "nodes": nodes.nodes,
    "clean": clean.clean,
}
app.callback()(root.options)
for name, command in COMMANDS.items():
    # Given as a whole: what the list of commands makes of a docstring ends in the middle.
    whole = (command.__doc__ or "").partition("\n")[0]
    app.command(name, short_help=whole, epilog=root.EPILOG_OF_COMMANDS)(command)

on_kaggle = typer.Typer(
    help="Run a competition on Kaggle's machines.",
    epilog=root.EPILOG_OF_COMMANDS,
    invoke_without_command=True,
    rich_markup_mode=None,
)
on_kaggle.callback()(kaggle.group)
on_kaggle.command(
    "run",
    short_help=(kaggle.run.__doc__ or "").partition("\n")[0],
    epilog=root.EPILOG_OF_COMMANDS,
)(kaggle.run)
app.add_typer(on_kaggle, name="kaggle")

INTERRUPTED = 130
LONGEST_NAME = 80  # characters of a name that is shown
FOLDER, FURTHER_FOLDERS = "--competitions", "FOLDWISE_COMPETITIONS"
# Each has an exit code, or is a disk that refuses; all others have become an `UnexpectedError`.
OUR_ERRORS = (ValueError, RuntimeError, LookupError, OSError, ImportError)


def main(arguments: list[str] | None = None, *, patience: Patience | None = None) -> int:
    """Run one command; print any error as one line, and return the exit code.

    Args:
        arguments: As typed; those of the process if None.
        patience: How long to wait for Kaggle, and how often to try again.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        unforeseen = contextlib.nullcontext() if debug else _unforeseen_in_one_line()
        with _warnings_in_one_line(), unforeseen:
            typed = _with_folder([argument for argument in arguments if argument != "--debug"])
            code = app(typed or ["-h"], prog_name=PROGRAM, standalone_mode=False, obj=patience) or 0
    except TyperException as error:
        _complain(f"{_usage(error)}; type `foldwise --help` for the commands and their options")
        return 2
    except OUR_ERRORS as error:
        code = _exit_code(error)
        if code is None or debug:
            raise
        _complain(_file_fault(error) if isinstance(error, OSError) else str(error))
    if code == INTERRUPTED:
        _complain("interrupted; nothing is lost: type the same command again to continue")
    return int(code)


def _unforeseen_in_one_line() -> AbstractContextManager[None]:
    """Turns a fault that no code foresaw into one line; its traceback is kept in a file."""
    from pipelines import faults
    from pipelines.workspace.layout import Workspace

    return faults.logged(Workspace().error_log)


@contextlib.contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print warnings of ours, and about a competition's file, as one line each.

    Those of libraries are printed as ever.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "default", category=UserWarning, module=r"(pipelines|submissions)\b"
        )
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if category.__module__.split(".")[0] in ("pipelines", "submissions"):
                _complain(f"warning: {message}")
            elif (where := _own_line(*place)) is not None:
                _complain(f"warning: {where}: {message}")
            else:
                usual(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _own_line(file: str, line: int, *_: Any) -> str | None:
    """The place of a warning as `competitions/mine.py, line 12`; None for one of a library."""
    from pipelines import faults

    path = Path(file)
    return f"{faults.shown(path)}, line {line}" if faults.is_own(path) else None


def _with_folder(arguments: list[str]) -> list[str]:
    """The arguments without `--competitions DIR`, which every command understands."""
    left = []
    given = iter(arguments)
    for argument in given:
        if argument == FOLDER or argument.startswith(f"{FOLDER}="):
            folder = argument.partition("=")[2] if "=" in argument else next(given, "")
            known = os.environ.get(FURTHER_FOLDERS, "")
            os.environ[FURTHER_FOLDERS] = os.pathsep.join(filter(None, (known, folder)))
        else:
            left.append(argument)
    return left


def _usage(error: TyperException) -> str:
    message = getattr(error, "format_message", lambda: str(error))()
    return str(message).rstrip(".")


def _exit_code(error: BaseException) -> int | None:
    """The code on the error's class; 2 for a name, 3 for a disk; None for a bug of ours."""
    if isinstance(error, OSError) and not hasattr(error, "exit_code"):
        from pipelines.workspace.disk import is_disk_fault, is_name_fault

        return 2 if is_name_fault(error) else 3 if is_disk_fault(error) else None
    return getattr(error, "exit_code", None)


def _file_fault(error: OSError) -> str:
    from pipelines.workspace.disk import is_name_fault, refusal

    if hasattr(error, "exit_code"):
        return str(error)
    if is_name_fault(error):
        name, reason = str(error.filename), (error.strerror or "refused").lower()
        return f"{name[:LONGEST_NAME]}…: no file can have that name ({reason}); type another one"
    return (
        f"{refusal(error)}; no file is half-written; free some room or allow writing there, then "
        "type the same command again to continue"
    )


def _complain(message: str) -> None:
    from pipelines.secret_texts import redacted

    line = " ".join(redacted(message).split("\n"))
    print(f"foldwise: {as_typed(line)}", file=sys.stderr)
