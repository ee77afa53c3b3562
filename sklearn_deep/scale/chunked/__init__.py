"""Fits of more rows than memory holds."""
