"""The commands that are more than a few lines; `pipelines.cli` registers them."""
