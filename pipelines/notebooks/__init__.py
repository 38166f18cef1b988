"""`foldwise notebook`: a notebook for Kaggle's machines, and the dataset with what it needs.

Called by `commands`; uses `prediction`, `competitions` and `workspace`. Needs no network.
"""
