"""Encoders, folds and datasets: tables to numbers, fitted on a fold's training rows only."""
