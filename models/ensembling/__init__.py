"""From the members' predictions to one: blend weights, calibration, stacking, combiners.

Called by `pipelines.stages.ensemble`, and by `pipelines.prediction` for new rows.
"""
