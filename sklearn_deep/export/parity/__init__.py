"""Proof that a model predicts what the estimator predicts, on given and made-up rows."""
