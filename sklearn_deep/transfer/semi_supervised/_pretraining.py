"""Learn from all rows first, by denoising; then fine-tune on the labelled ones."""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.frozen import FrozenEstimator

from sklearn_deep.augmentation._table import SwapNoise
from sklearn_deep.estimators.families._cnn import CNNClassifier, CNNRegressor
from sklearn_deep.estimators.families._mlp import MLPClassifier, MLPRegressor
from sklearn_deep.transfer.fine_tuning._fine_tuned import FineTuned
from sklearn_deep.transfer.semi_supervised._learning import Method

# What has the same layers, and gives numbers.
_TWINS = {MLPClassifier: MLPRegressor, CNNClassifier: CNNRegressor}

# Parameters of a classifier that say how it trains on labels.
_OF_LABELS = {
    "augmentation",
    "callbacks",
    "checkpoint",
    "class_weight",
    "early_stopping",
    "loss",
    "loss_params",
    "max_epochs",
    "verbose",
}

# Share of the values that are replaced by those of other rows.
_RATE = 0.5


class Pretraining(Method):
    """A network that restores corrupted rows, fine-tuned on the labelled ones.

    The network learns once, from all rows; labels are not used there.
    """

    families: ClassVar = tuple(c.__name__ for c in _TWINS)

    @cached_property
    def pretrained(self) -> Any:
        """The network that restores rows."""
        strong = self.settings.strong_augmentation
        twin = _twin(
            self.network,
            augmentation=SwapNoise(_RATE) if isinstance(strong, str) else strong,
            max_epochs=self.settings.pretrain_epochs,
            early_stopping=False,
        )
        weight = {} if self.weight is None else {"sample_weight": self.weight}
        return FrozenEstimator(twin.fit(self.X, _flat(self.X), **weight))

    def fit(self, rows: np.ndarray, y: np.ndarray, others: np.ndarray) -> Any:
        """Fine-tune the pretrained network on labelled rows."""
        kind = self.pretrained.estimator._fitted.features.layout(self.take(rows)).kind
        augmentation = self.network.augmentation
        if kind == "table" or not isinstance(self.settings.augmentation, str):
            augmentation = self.weak(kind)
        network = type(self.network)(**self.network.get_params(deep=False))
        tuned = FineTuned(
            network.set_params(augmentation=augmentation),
            self.pretrained,
            freeze=None,
            layer_decay=self.settings.layer_decay,
            head_epochs=self.settings.head_epochs,
            on_worse="ignore",
        )
        return self.fit_labelled(tuned, rows, y).estimator_


def _twin(network: Any, **changes: Any) -> Any:
    """A regressor with the layers and the training of a classifier."""
    twin = next(t for c, t in _TWINS.items() if isinstance(network, c))()
    own, known = network.get_params(deep=False), twin.get_params(deep=False)
    shared = {k: v for k, v in own.items() if k in known and k not in _OF_LABELS}
    return twin.set_params(**shared, **changes)


def _flat(X: Any) -> np.ndarray:
    """Rows as targets, one column per value."""
    values = X.toarray() if sp.issparse(X) else np.asarray(X)
    return values.reshape(len(values), -1).astype(np.float32)
