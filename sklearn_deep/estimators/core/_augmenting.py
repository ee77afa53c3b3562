"""Checks of the ``augmentation`` parameter."""

from typing import Any

from sklearn_deep.augmentation._base import check_augmentation
from sklearn_deep.data._layout import Layout
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training.job._optimizers import OPTIMIZERS


def augmentations(estimator: NetworkHooks, layout: Layout) -> tuple[Any, ...]:
    """Check the augmentations of a fit and return them in order.

    Raises
    ------
    InvalidParameterError
        If an augmentation does not fit the rows, or is combined with lbfgs.
    """
    owner = type(estimator).__name__
    chosen = check_augmentation(owner, estimator.augmentation, layout.kind)
    for item in chosen:
        if item.mixes and layout.unequal:
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must not mix rows of unequal"
                f" lengths. Got {item!r} instead, which mixes them."
            )
        if (item.mixes or item.moves) and getattr(estimator, "return_sequences", False):
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must not move time steps:"
                " with return_sequences=True each step has a target. Got"
                f" {item!r} instead. Jitter, MagnitudeScaling and GaussianNoise do not"
                " move them."
            )
    if chosen and OPTIMIZERS[estimator.optimizer].update is None:
        raise InvalidParameterError(
            f"The 'augmentation' parameter of {owner} needs an optimizer that takes"
            " steps: lbfgs minimises one fixed loss. Set augmentation=None, or"
            " optimizer='adamw'."
        )
    return chosen
