"""Offline samples: real or generated rows in Kaggle's file form, for those without an account."""
