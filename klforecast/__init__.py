"""Forecasting and sequence classification with spectral (Karhunen-Loeve) memory."""
