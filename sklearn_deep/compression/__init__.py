"""Smaller networks: meta-estimators that compress what they wrap."""
