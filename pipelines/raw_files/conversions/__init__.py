"""Raw files of other makers, converted to the form of a competition's files."""
