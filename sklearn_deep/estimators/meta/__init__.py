"""Estimators around another estimator: held-out rows, a range test."""
