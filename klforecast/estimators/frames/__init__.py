"""Frames and indices to arrays, and back."""
