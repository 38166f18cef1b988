"""Studies: the best settings of a member, searched by Optuna on folds of their own.

Called by `commands` alone; uses `runs`, `stages` and `members`.
"""
