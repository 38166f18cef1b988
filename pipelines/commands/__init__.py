"""The commands that are more than a few lines; `pipelines.commands.app` registers them."""
