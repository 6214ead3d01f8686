"""One file for a fitted estimator, without code in it."""
