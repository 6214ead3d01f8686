"""Honest forecasters that look like cheats: those made for it, and the list of all with sktime's own."""
