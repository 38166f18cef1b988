"""Settings of the networks: one torch-free class per architecture, whose `build` makes the network.

Competition files and member settings import from here; the networks are in `models.networks`.
"""
