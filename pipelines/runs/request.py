"""What is asked of a run beside its configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.configuration.competition import Competition
from pipelines.configuration.tuned_values import Tuned
from pipelines.kaggle.retry import Patience
from pipelines.planning.clock import TimeLimit


@dataclass(frozen=True)
class RunRequest:
    """What the command line sets beyond the configuration.

    Attributes:
        source: `auto`, `kaggle`, `sample` or a path.
        device: `auto`, `cpu` or `cuda`.
        run_id: An unfinished run to continue.
        out: Where to write the CSV as well.
        track: Whether to write an MLflow run.
        refresh: Whether to check with Kaggle that its files have not changed.
        patience: How long to wait for Kaggle.
        tuned: Where tuned values in the configuration come from.
        note: What the ledger notes of the run; None for nothing.
        defaults: The competition as its file has it, to tell which settings differ.
        always_tuned: Whether they are used even where they are not known to be better.
        limit: How long the run may take; None without a limit.
        root: The folder that holds `data/`, `runs/` and `submissions/`.
        on: The cluster that trains, as `ray`; None for this machine. It changes no byte.
    """

    source: str = "auto"
    device: str = "auto"
    run_id: str | None = None
    out: Path | None = None
    track: bool = True
    refresh: bool = False
    patience: Patience = field(default_factory=Patience)
    tuned: tuple[Tuned, ...] = ()
    note: str | None = None
    defaults: Competition | None = None
    always_tuned: bool = False
    limit: TimeLimit | None = None
    root: Path = Path()
    on: str | None = None
