"""Inputs of the graph, and what they depend on in the fitted estimator."""
