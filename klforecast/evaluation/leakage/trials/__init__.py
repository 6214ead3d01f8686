"""Forecasters whose verdict is known: cheats that must be found, and odd ones that are honest."""
