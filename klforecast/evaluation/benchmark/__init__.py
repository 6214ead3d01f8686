"""Cells to rows: protocols, models, and the runner that resumes."""
