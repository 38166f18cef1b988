"""Encoders turn the columns of a table into arrays, fitted on one fold's training rows.

Competition files choose them; stages, prediction and reports call them through `base.Encoder`.
"""
