"""Networks, trees, the trainer of all replicas at once, metrics and blending."""
