"""User data to fitted attributes: the scikit-learn estimators."""
