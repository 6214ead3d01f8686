"""Exogenous columns: their rows, and what they do to a series."""
