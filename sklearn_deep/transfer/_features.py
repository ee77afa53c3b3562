"""Hidden activations of a network as features for other estimators."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import (
    BOOLEAN,
    InstanceOf,
    Number,
    Rules,
    Satisfies,
    check_params,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.compression._base import network_in
from sklearn_deep.compression._network import unwrap_frozen
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._stages import cut
from sklearn_deep.training.loop._forward import raw_outputs


class NetworkFeatures(
    TracksSubclasses,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Transform X to the outputs of a layer of a network, for use by other estimators.

    ``fit`` trains the network on its targets; ``transform`` returns the outputs of one
    of its layers, by default the last hidden one [1]_. A fitted network in a
    :class:`~sklearn.frozen.FrozenEstimator`, or with ``prefit=True``, is not trained
    again.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep, a compression of one, or a FrozenEstimator around a
        fitted one.
    layer : int or str, default=-2
        Layer whose outputs are returned: the index of a stage of ``estimator_.module_``
        (-1 for its raw outputs), or the name of any layer, such as ``"hidden.0"``. The
        stages of an MLP are its hidden layers and its output layer, those of a
        ``torch.nn.Sequential`` its members; other user modules have layer names only.
    prefit : bool, default=False
        Whether ``estimator`` is already fitted and is not trained. ``clone`` and
        searches drop what was fitted: wrap the estimator in a ``FrozenEstimator`` for
        them.

    Attributes
    ----------
    estimator_ : estimator
        The fitted network.
    layer_ : int or str
        The layer whose outputs are the features.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

    See Also
    --------
    MLPAutoencoder : Learn features without targets.

    References
    ----------
    .. [1] Razavian et al., "CNN features off-the-shelf: an astounding baseline for
           recognition", arXiv:1403.6382.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_deep import MLPClassifier, NetworkFeatures
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPClassifier((64, 16), max_epochs=10, random_state=0)
    >>> pipe = make_pipeline(NetworkFeatures(net), KNeighborsClassifier())
    >>> bool(pipe.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9)
    True
    >>> pipe[:-1].transform(X / 16).shape
    (1797, 16)
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                lambda value: isinstance(network_in(value), DeepEstimator),
                "a network of sklearn_deep, a compression of one, or a FrozenEstimator"
                " around either",
            ),
        ),
        "layer": (Number(Integral), InstanceOf((str,), "a str")),
        "prefit": (BOOLEAN,),
    }

    @names_unknown_arguments
    def __init__(self, estimator, *, layer=-2, prefit=False):
        self.estimator = estimator
        self.layer = layer
        self.prefit = prefit

    @names_unknown_arguments
    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network, unless it is already trained.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features, as the network takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets, if the network needs them.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation features, for early stopping.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        InvalidParameterError
            If the network has no such ``layer``; the message lists its layers.
        NotFittedError
            If ``prefit=True`` and the network is not fitted.
        """
        with all_or_nothing(self):
            check_params(self, self._rules)
            network = unwrap_frozen(self.estimator)
            if self.prefit or network is not self.estimator:
                check_is_fitted(network)
            else:
                network = clone(network).fit(
                    X, y, sample_weight, X_val, y_val, sample_weight_val
                )
            self.estimator_ = network_in(network)
            self.layer_ = self.layer  # changes after ``fit`` apply to the next fit
            self._n_features_out = self._features(X, slice(1)).shape[1]
        return self

    def transform(self, X):
        """Compute the outputs of the layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features, as the network takes them.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_new)
            Outputs of the layer, flattened to one row each, in the network's dtype.
        """
        check_is_fitted(self)
        return self._features(X)

    def _features(self, X: Any, rows: slice = slice(None)) -> np.ndarray:
        network = self.estimator_
        X = fitted_of(network).encode(X)[rows]
        part = up_to_layer(self)
        try:
            return raw_outputs(part, X).numpy()
        except ValueError as error:
            raise ValueError(
                f"layer={self.layer_!r} of {_name(self)}: {error}"
            ) from error

    @property
    def n_features_in_(self):
        """Number of features of the fitted network."""
        return self._inner("n_features_in_")

    @property
    def feature_names_in_(self):
        """Feature names of the fitted network."""
        return self._inner("feature_names_in_")

    def _inner(self, name: str) -> Any:
        if "estimator_" not in vars(self):
            raise AttributeError(f"{_name(self)} has no {name} before it is fitted.")
        return getattr(self.estimator_, name)

    def __sklearn_tags__(self):
        """Input tags of the network, and the dtypes that it computes in."""
        tags = super().__sklearn_tags__()
        network = network_in(self.estimator)
        inner = get_tags(network)
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        if getattr(network, "dtype", None) == "auto":
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        else:
            tags.transformer_tags.preserves_dtype = []
        return tags


def up_to_layer(features: NetworkFeatures) -> nn.Module:
    """The network's module up to and including the layer."""
    try:
        return cut(features.estimator_.module_, features.layer_).eval()
    except LookupError as error:
        raise InvalidParameterError(
            f"The 'layer' parameter of {_name(features)} must be a layer of the network:"
            f" {error.args[0]}. Got {features.layer_!r} instead."
        ) from error


def _name(estimator: Any) -> str:
    return type(estimator).__name__
