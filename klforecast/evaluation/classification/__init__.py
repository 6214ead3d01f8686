"""Classifiers on official splits: accuracy and cost, with MiniRocket beside them."""
