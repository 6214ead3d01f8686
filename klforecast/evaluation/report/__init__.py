"""Rows to pages: tables, figures, ranks."""
