"""Models of every kind, their training and their ensembles; no competition, run or file format.

Called by `pipelines`; imports nothing from `features` or `pipelines`.
"""
