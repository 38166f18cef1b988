"""MLflow and nothing else: records, stores, the outbox, the page; the only importer of mlflow.

Called by `runs`, `tuning`, `compare_losses` and `commands`, which build the records.
"""
