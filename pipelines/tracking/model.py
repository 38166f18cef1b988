"""Logs a model to MLflow: signature, input example, and a folder that `mlflow.pyfunc` loads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.workspace.provenance import versions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import Model, ModelSignature

    from pipelines.tracking.record import LoggedModel


def log(client: MlflowClient, run_id: str, logged: LoggedModel) -> None:
    """Log the model with the run, unless the run has one already."""
    run = client.get_run(run_id)
    if run.outputs.model_outputs:
        return
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    entry = client.create_logged_model(
        run.info.experiment_id, name=logged.name, source_run_id=run_id
    )
    model = Model(
        artifact_path=entry.artifact_location,
        model_uuid=entry.model_id,
        model_id=entry.model_id,
        run_id=run_id,
    )
    with tempfile.TemporaryDirectory(prefix=".model-", dir=logged.folder) as scratch:
        client.log_model_artifacts(entry.model_id, str(_saved(logged, model, Path(scratch))))
    client.finalize_logged_model(entry.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, step=0)])


def _saved(logged: LoggedModel, model: Model, scratch: Path) -> Path:
    """The model's folder in MLflow's form."""
    from mlflow import pyfunc

    # The name of this folder stands in the model's file `MLmodel`.
    data, path = scratch / "run", scratch / "model"
    data.mkdir()
    logged.fill(data)
    pyfunc.save_model(
        path,
        loader_module=logged.loader_module,
        data_path=str(data),
        mlflow_model=model,
        signature=_signature(logged),
        input_example=logged.example(),
        pip_requirements=_libraries(),
    )
    return path


def _libraries() -> list[str]:
    return [f"{name}=={version}" for name, version in versions().items() if name != "python"]


def _signature(logged: LoggedModel) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    # MLflow would refuse a column of whole numbers for "double"; the model checks what it reads.
    kinds = {"double": AnyType()}
    inputs = [
        ColSpec(kinds.get(kind, kind), name, required=needed)
        for name, kind, needed in logged.inputs
    ]
    outputs = [ColSpec(kind, name) for name, kind in logged.outputs]
    return ModelSignature(Schema(inputs), Schema(outputs))
