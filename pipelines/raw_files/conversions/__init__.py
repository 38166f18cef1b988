"""Raw files from other sources, converted to the format of a competition's files.

Competition files name them; the download stage calls their `convert`.
"""
