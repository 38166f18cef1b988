"""The plan of a run with a time limit: what its parts cost on this machine, and what then fits.

Called by `runs` and everything above; the planner itself knows no clock and trains nothing.
"""
