"""Checks of training data: a table of functions, each with a statistical test behind it."""
