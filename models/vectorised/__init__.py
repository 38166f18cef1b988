"""Many replicas of one network at once: stacked weights, stacked layers, random streams.

Called by `models.training` and by the loss laboratory (`pipelines.compare_losses`).
"""
