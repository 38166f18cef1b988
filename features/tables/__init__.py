"""Typed tables: what a column may hold, and reading a text file that holds just that.

Competition files declare columns; the preprocess stage and the conversions read with them.
"""
