"""Suites: many data sets, one protocol each, beside published results; run by one command."""
