"""Everything that is drawn of a run."""
