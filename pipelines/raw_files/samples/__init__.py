"""Offline samples: real or generated rows in Kaggle's file format, for use without an account.

Competition files name them; the download stage calls their `write` and `fingerprint`.
"""
