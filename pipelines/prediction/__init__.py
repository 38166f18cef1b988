"""Predictions of a finished run for new rows: from Python, the command line or MLflow.

Called by `commands` and `runs`, and by MLflow through `mlflow_model`; uses `stages`.
"""
