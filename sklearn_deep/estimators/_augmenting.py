"""The ``augmentation`` parameter: what it may be."""

from typing import TYPE_CHECKING, Any

from sklearn_deep.augmentation._base import check_augmentation
from sklearn_deep.data._layout import Layout
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training.job._optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from sklearn_deep.estimators._base import DeepEstimator


def augmentations(estimator: "DeepEstimator", layout: Layout) -> tuple[Any, ...]:
    """The augmentations of a fit, checked, in order.

    Raises
    ------
    InvalidParameterError
        For one that does not work on such rows, or with full-batch lbfgs.
    """
    owner = type(estimator).__name__
    chosen = check_augmentation(owner, estimator.augmentation, layout.kind)
    for item in chosen:
        if item.mixes and layout.unequal:
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must leave rows apart where"
                f" they have lengths of their own. Got {item!r} instead, which mixes"
                " them."
            )
        if (item.mixes or item.moves) and getattr(estimator, "return_sequences", False):
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {owner} must leave every time step in"
                " its place, for with return_sequences=True each has a target. Got"
                f" {item!r} instead; Jitter, MagnitudeScaling and GaussianNoise do."
            )
    if chosen and OPTIMIZERS[estimator.optimizer].update is None:
        raise InvalidParameterError(
            f"The 'augmentation' parameter of {owner} needs an optimizer that takes"
            " steps: lbfgs minimises one fixed loss. Set augmentation=None, or"
            " optimizer='adamw'."
        )
    return chosen
