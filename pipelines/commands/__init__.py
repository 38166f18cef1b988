"""The command line: one file for each group of commands; no logic.

Only `pipelines.__main__` calls it. Heavy imports are inside the functions: `--help` must be quick.
"""
