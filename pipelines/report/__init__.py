"""A run's report: what it measures of a finished run, the page, and two runs side by side.

`runs` and `commands` call it; it draws with `figures`, and writes nothing outside `runs/`.
"""
