"""Raw files: where they come from, archives, other forms, offline samples and the manifest.

Called by the stages and by competition files; it imports neither.
"""
