"""Sample and class weights."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_deep._params import Number

_WEIGHT = Number(low=0)


def check_sample_weight(
    sample_weight: Any, n_samples: int, name: str = "sample_weight"
) -> np.ndarray | None:
    """Validate sample weights.

    Returns
    -------
    weight : ndarray of shape (n_samples,), float64, or None

    Raises
    ------
    ValueError
        For a wrong shape, NaN, negative weights, or weights that are all zero.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real) or getattr(sample_weight, "ndim", 1) == 0:
        sample_weight = np.full(n_samples, sample_weight)
    try:
        weight = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name=name
        )
    except (TypeError, ValueError) as error:
        if "contains" in str(error):  # NaN or infinity
            raise
        raise ValueError(
            f"{name} must have one number per row of X, shape ({n_samples},): {error}."
        ) from error
    if weight.shape != (n_samples,):
        raise ValueError(
            f"{name} must have shape ({n_samples},), one weight per row of X; got"
            f" shape {weight.shape}."
        )
    if (weight < 0).any():
        raise ValueError(
            f"{name} must not be negative; its minimum is {weight.min():g}."
        )
    if not (weight > 0).any():
        raise ValueError(
            f"{name} is zero in every row: nothing is left to learn from or to validate"
            " on. Pass rows of positive sample_weight."
        )
    # Only ratios matter; a power of two keeps them exact, and sums and means normal.
    exponent = int(np.frexp(weight.max())[1])
    return weight if abs(exponent) < 300 else np.ldexp(weight, -exponent)


def class_weights(
    class_weight: Mapping | str,
    classes: np.ndarray,
    codes: np.ndarray,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Weight of each class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        Weight of each label (1 for labels not named), or weights inversely proportional
        to the (weighted) number of rows of each class. Labels that are not among the
        classes are ignored where every class is named.
    classes : ndarray of shape (n_classes,)
        Labels.
    codes : ndarray of int of shape (n_samples,)
        Place of each row's label in ``classes``.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        For labels that look like a typing error, and for values that are no weights.
    """
    if isinstance(class_weight, str):
        mass = np.bincount(codes, weight, minlength=len(classes))
        here = mass > 0
        return mass.sum() / (here.sum() * np.where(here, mass, 1.0))
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    unnamed = [label for label in labels if label not in class_weight]
    if unknown and unnamed:  # as scikit-learn has it: else a fold lacks a rare class
        raise ValueError(
            f"class_weight names classes {unknown} that are not in y, and leaves out"
            f" {unnamed[:10]} of y: check the spelling and the type of the labels. y has"
            f" the classes {labels[:10]}. A class that y lacks may be named where all"
            " classes of y are."
        )
    values = np.array([class_weight.get(label, 1.0) for label in labels], object)
    here = np.bincount(codes, minlength=len(labels)) > 0
    if not all(map(_WEIGHT.allows, class_weight.values())) or not np.any(values[here]):
        raise ValueError(
            "class_weight must hold finite numbers >= 0, one of them positive for a"
            f" class of y; got {dict(class_weight)}."
        )
    return values.astype(float)
