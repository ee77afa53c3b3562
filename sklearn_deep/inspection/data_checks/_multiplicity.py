"""p-values of many tests at once."""

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p-values; the chance of any false rejection stays below the level."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.maximum.accumulate(p_values[order] * factors)
    return _in_order(adjusted, order)


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p-values; the expected share of false rejections stays below the level.

    Where no rejection is right, so does the chance of any.
    """
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    factors = len(p_values) / np.arange(1, len(p_values) + 1)
    scaled = p_values[order] * factors
    return _in_order(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _in_order(adjusted: np.ndarray, order: np.ndarray) -> np.ndarray:
    found = np.empty(len(order))
    found[order] = np.minimum(adjusted, 1.0)
    return found
