"""The loader module that MLflow models of older versions name; the models load as before.

MLflow imports it by this name, so it stays here although it uses a layer above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.prediction.mlflow_model import RunModel


def _load_pyfunc(path: str) -> RunModel:
    from pipelines.prediction import mlflow_model

    return mlflow_model._load_pyfunc(path)
