"""Forecasts of one series or panel from many cutoffs, in one tidy frame."""
