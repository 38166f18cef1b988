"""Executors beyond this process: members' units of work on the machines of a Ray cluster.

Called by `runs`, `tuning` and `commands`; `pipelines.executors.ray` alone imports ray.
"""
