"""One check per file: each takes a study and returns rows of the report."""
