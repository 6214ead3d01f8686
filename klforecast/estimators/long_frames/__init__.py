"""Long frames: one row per series and time, with the columns of statsforecast or named ones."""
