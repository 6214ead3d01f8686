"""Hierarchies of series: which totals they have, and forecasts that add up."""
