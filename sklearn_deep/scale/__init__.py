"""Fits beyond one table on one machine."""
