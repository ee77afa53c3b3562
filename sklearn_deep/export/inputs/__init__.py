"""The inputs that a model declares, and what a fitted estimator tells about its rows."""
