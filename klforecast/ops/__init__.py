"""TODO-docstring-by-owner."""
