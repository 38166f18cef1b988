"""The trainer: every fold and every seed of a network at once, and the trained networks.

Start at `fit.fit`; called by members, studies and anyone with a network and some folds.
"""
