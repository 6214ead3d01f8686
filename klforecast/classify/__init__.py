"""Sequences to classes: spectral features, the closed form on them, and the networks that correct it."""
