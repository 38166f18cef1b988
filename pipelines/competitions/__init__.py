"""One file per competition; a file added here is a competition added."""
