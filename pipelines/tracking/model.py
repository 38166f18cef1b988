"""A run's model as MLflow logs one: signature, input example, and a folder that pyfunc loads."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.workspace.provenance import versions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature


def log(client: MlflowClient, run_id: str, folder: Path, *, name: str) -> None:
    """The run as a model that `mlflow.pyfunc` loads; it is loaded by our code, never unpickled."""
    run = client.get_run(run_id)
    if run.outputs.model_outputs:  # it was sent before
        return
    from mlflow import pyfunc
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    from pipelines.prediction import mlflow_model

    place = run.info.experiment_id
    logged = client.create_logged_model(place, name=name, source_run_id=run_id)
    model = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=run_id,
    )
    with tempfile.TemporaryDirectory(prefix=".model-", dir=folder) as scratch:
        data, path = Path(scratch) / "run", Path(scratch) / "model"
        data.mkdir()
        mlflow_model.fill(data, folder)
        pyfunc.save_model(
            path,
            loader_module=mlflow_model.__name__,
            data_path=str(data),
            mlflow_model=model,
            signature=_signature(mlflow_model.described(folder)),
            input_example=mlflow_model.example(folder),
            pip_requirements=_libraries(),
        )
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _libraries() -> list[str]:
    return [f"{name}=={version}" for name, version in versions().items() if name != "python"]


def _signature(told: Mapping[str, Any]) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = [ColSpec(kind, name, required=needed) for name, kind, needed in told["inputs"]]
    outputs = [ColSpec(kind, name) for name, kind in told["outputs"]]
    return ModelSignature(Schema(inputs), Schema(outputs))
