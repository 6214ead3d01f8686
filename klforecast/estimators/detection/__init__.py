"""Outliers and level shifts of a series from the errors of its forecasts."""
