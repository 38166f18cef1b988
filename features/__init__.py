"""Tables, encoders and folds: everything between a raw file and the arrays of a model.

A leaf: any package may import it, and it imports nothing of the project.
"""
