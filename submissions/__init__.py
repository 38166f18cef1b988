"""The CSV that goes to Kaggle, built and checked, the ledger of scores, and the final selection.

Imports nothing of the other packages; `pipelines` calls it from `stages`, `runs` and `prediction`.
"""
