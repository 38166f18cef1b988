"""Boosted trees and estimators of scikit-learn, fitted in every fold: settings, training, storage.

Called by `pipelines.members` for members and by `models.ensembling` for stackers.
"""
