"""Forecasters that know what they must not know, each by another way: a file for each kind, and the list."""
