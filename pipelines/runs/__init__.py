"""A run from its request to its page, and what follows: ledger, submissions, scores, MLflow.

Called by `commands`, `tuning` and `compare_losses`; uses everything below.
"""
