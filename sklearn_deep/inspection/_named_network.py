"""The network in an estimator that is not fitted, and what its parameters are called."""

from typing import Any

from sklearn_deep.estimators.core._base import DeepEstimator


def named_network(estimator: Any) -> tuple[str, DeepEstimator]:
    """The network in an estimator, and the prefix of its parameters there."""
    if isinstance(estimator, DeepEstimator):
        return "", estimator
    found = [
        (f"{name}__", value)
        for name, value in estimator.get_params().items()
        if isinstance(value, DeepEstimator)
    ]
    if not found:
        raise TypeError(
            "This needs a network of sklearn_deep, or a Pipeline or other meta-estimator"
            f" around one; got {type(estimator).__name__}."
        )
    return found[-1]
