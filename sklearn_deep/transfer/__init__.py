"""Transfer learning: fitted networks as parts of other estimators."""
