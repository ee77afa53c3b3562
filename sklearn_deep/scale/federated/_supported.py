"""Which networks owners can train together, and why others cannot."""

from collections.abc import Callable
from typing import Any

from sklearn.pipeline import Pipeline

from sklearn_deep.augmentation._auto import AutoAugment
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.families._cnn import CNNClassifier, CNNRegressor
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.estimators.families._module import ModuleClassifier, ModuleRegressor
from sklearn_deep.estimators.families._rnn import RNNClassifier, RNNRegressor
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.training.job._optimizers import OPTIMIZERS

CLASSIFIERS = (MLPClassifier, CNNClassifier, RNNClassifier, ModuleClassifier)
REGRESSORS = (MLPRegressor, CNNRegressor, RNNRegressor, ModuleRegressor)


def network_of(estimator: Any) -> DeepEstimator:
    """The network at the end of a Pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _augments_itself(network: Any) -> bool:
    items = network.augmentation
    items = items if isinstance(items, (list, tuple)) else [items]
    return any(isinstance(item, AutoAugment) for item in items)


def _has(network: Any, name: str) -> bool:
    return bool(getattr(network, name, None))


# What a network may not have, and what to set.
_REFUSED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "optimizer": (
        lambda n: OPTIMIZERS[n.optimizer].update is None,
        "an optimizer that takes steps, such as 'adamw'",
    ),
    "learning_rate": (
        lambda n: n.learning_rate == "auto",
        "a float: a range test needs the rows of all owners",
    ),
    "learning_rate_schedule": (
        lambda n: n.learning_rate_schedule == "plateau",
        "a schedule over time, such as 'cosine': each round is a training of its own",
    ),
    "augmentation": (
        _augments_itself,
        "a fixed augmentation: a search for one needs the rows of all owners",
    ),
    "callbacks": (
        lambda n: bool(n.callbacks),
        "None: a round trains many networks, which are no fits of their own",
    ),
    "checkpoint": (lambda n: n.checkpoint is not None, "None"),
    "warm_start": (lambda n: bool(n.warm_start), "False"),
    "tokens": (
        lambda n: getattr(n, "tokens", None) is True,
        "False: encode tokens before",
    ),
    "vocabulary": (lambda n: _has(n, "vocabulary"), "None: encode tokens before"),
    "return_sequences": (lambda n: _has(n, "return_sequences"), "False"),
}


def check_network(owner: str, network: DeepEstimator) -> None:
    """Raise for parameters that have no meaning in a training by rounds."""
    for name, (is_refused, instead) in _REFUSED.items():
        if is_refused(network):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(network).__name__} in {owner} must be"
                f" {instead}. Got {getattr(network, name)!r} instead."
            )
