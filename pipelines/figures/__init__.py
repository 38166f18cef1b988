"""Figures: plain arrays in, a `matplotlib.figure.Figure` out; saved as PNG or embedded as SVG.

`runs`, `tuning`, `compare_losses` and `report` call it; it imports none of them, and no pyplot.
"""
