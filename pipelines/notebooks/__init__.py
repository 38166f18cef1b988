"""`foldwise notebook` and `kaggle run`: a notebook for Kaggle's machines, and its run there.

Called by `commands`. What writes a notebook (`folder`) needs no network; `kaggle_run` signs in.
"""
