"""Module and windows to a fitted net: solving, stepping, and the only writers of the memory."""
