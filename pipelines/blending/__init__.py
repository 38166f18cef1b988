"""`foldwise blend`: out-of-fold and test predictions of runs and of files, blended and scored.

The numerics are in `models/ensembling`; files, ids and checks are here.
"""
