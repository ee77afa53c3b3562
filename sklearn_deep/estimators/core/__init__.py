"""Any estimator with one network: its fit, its fitted state, its hooks."""
