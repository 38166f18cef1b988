"""Typed tables: what a column may hold, and reading a text file that holds just that.

Competition files declare columns; the preprocess stage and the conversions read with them.
"""

import pandas as pd

if pd.__version__.startswith("2."):
    pd.options.future.infer_string = True  # texts are `str`, a missing one stays missing
