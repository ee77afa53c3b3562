"""Scores against the number of training rows, warm and from scratch."""
