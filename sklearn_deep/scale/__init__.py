"""Fits beyond the memory of one machine."""
