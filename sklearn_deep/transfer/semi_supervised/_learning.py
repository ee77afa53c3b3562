"""What every method knows of a fit, and the method that only takes labels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from sklearn_deep.augmentation._geometry import Translation
from sklearn_deep.augmentation._policies import RandAugment
from sklearn_deep.augmentation._series import Jitter
from sklearn_deep.augmentation._table import SwapNoise
from sklearn_deep.estimators.core._specs import with_usual_decay
from sklearn_deep.exceptions import InvalidParameterError

# By the kind of rows: what hardly changes a row, and what changes it strongly.
WEAK = {
    "table": lambda: SwapNoise(0.2),
    "series": lambda: Jitter(),
    "images": lambda: Translation(),
}
STRONG = {
    "table": lambda: SwapNoise(0.5),
    "series": lambda: RandAugment(),
    "images": lambda: RandAugment(),
}


@dataclass(frozen=True)
class Settings:
    """Parameters of a semi-supervised training, as the estimator takes them."""

    owner: str
    augmentation: Any
    strong_augmentation: Any
    threshold: float
    rounds: int
    unlabelled_weight: float
    unlabelled_ratio: int
    pretrain_epochs: int
    layer_decay: float
    head_epochs: int


class Method(ABC):
    """A way to learn from rows with and without a label.

    Parameters
    ----------
    settings : Settings
    network : DeepClassifier
        Not fitted, with a seed.
    X : array-like of shape (n_samples, n_features)
        All rows.
    weight : ndarray of shape (n_samples,) or None
    """

    # Names of the families that it can train; None for all.
    families: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, settings: Settings, network: Any, X: Any, weight: Any):
        self.settings, self.X, self.weight = settings, X, weight
        # The rows with a label are few, and the methods learn from the others as well: with
        # a decay for few rows no network would be sure enough to take a pseudo-label.
        self.of_labels_only, self.network = network, with_usual_decay(network)

    @abstractmethod
    def fit(self, rows: np.ndarray, y: np.ndarray, others: np.ndarray) -> Any:
        """Train a network on labelled rows and on others, by their indices."""

    def fit_labelled(self, network: Any, rows: np.ndarray, y: np.ndarray, **more: Any):
        """Train a clone of a network or meta-estimator on rows with their labels."""
        if self.weight is not None:
            more.setdefault("sample_weight", self.weight[rows])
        return clone(network).fit(self.take(rows), y, **more)

    def take(self, rows: np.ndarray) -> Any:
        """Some rows of X."""
        return _safe_indexing(self.X, rows)

    def weak(self, kind: str) -> Any:
        """The augmentation of training rows: the network's own, unless one is given."""
        return _chosen(
            self.settings.augmentation, self.network.augmentation, WEAK[kind]
        )

    def strong(self, kind: str) -> Any:
        """The strong augmentation of rows without a label."""
        return _chosen(self.settings.strong_augmentation, None, STRONG[kind])


def _chosen(asked: Any, own: Any, default: Any) -> Any:
    if isinstance(asked, str):  # "auto"
        return default() if own is None else own
    return asked


def check_family(method: type[Method], name: str, owner: str, network: Any) -> None:
    """Raise for a network that a method cannot train.

    Raises
    ------
    TypeError
        The message names the families that it can.
    """
    if method.families is None:
        return
    classes = {c.__name__ for c in type(network).__mro__}
    if not classes & set(method.families):
        raise TypeError(
            f"method={name!r} of {owner} trains {', '.join(method.families)}; got a"
            f" {type(network).__name__}. method='pseudo_label' trains every classifier of"
            " sklearn_deep."
        )


def refuse_schedules(owner: str, network: Any) -> None:
    """Raise for parameters of the network that have no meaning here.

    Raises
    ------
    InvalidParameterError
        For ``warm_start``: each training begins anew.
    """
    if network.warm_start:
        raise InvalidParameterError(
            f"The estimator of {owner} takes no warm_start: several networks are trained,"
            " each from nothing. Leave it out."
        )
