"""What lies on disk: layout, whole writes, locks, runs, kept stages and where they came from.

Every module of `pipelines` may call it; it imports none of them.
"""
