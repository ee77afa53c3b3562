"""Plots and reports about fitted estimators."""
