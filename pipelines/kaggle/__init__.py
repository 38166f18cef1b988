"""The client of Kaggle, its credentials, retries and errors; no other package imports kaggle.

Called by `stages.download`, `runs` and `notebooks`.
"""
