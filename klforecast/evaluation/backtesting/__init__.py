"""Backtest: forecasts from many cutoffs of the user's own series, and what they score."""
