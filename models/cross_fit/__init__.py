"""A network over scikit-learn's folds: tables and arrays in, out-of-fold predictions out.

It checks what people pass and calls `models.training`; `foldwise.fit` is its public name.
"""
