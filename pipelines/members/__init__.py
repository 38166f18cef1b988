"""The kinds of members: each trains, saves and loads its models and is tuned; one file for each.

Called by `stages` and everything above, and by competition files; a kind imports no other kind.
"""
