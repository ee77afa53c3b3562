"""The learning-rate range test as an estimator, to look at before a fit."""

from numbers import Integral
from typing import ClassVar

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import InstanceOf, Number, Rules, check_params
from sklearn_deep._plotting import pyplot
from sklearn_deep.estimators._base import DeepEstimator, all_or_nothing
from sklearn_deep.estimators._data import FitArguments
from sklearn_deep.estimators._fitting import RANGE_TEST, prepare
from sklearn_deep.training._lr_range import range_test

_POSITIVE = Number(low=0, open_low=True)


class LearningRateFinder(MetaEstimatorMixin, BaseEstimator):
    """Train a network at ever larger learning rates, and see where the loss falls.

    A fresh network takes ``n_steps`` steps while the learning rate grows geometrically
    from ``low`` to ``high``, or until the loss is twice what it was at first. The
    suggestion is where the smoothed loss has fallen half the way to its minimum.
    ``learning_rate="auto"`` of the estimators runs the same test.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep that could be trained with one learning rate
        (not ``optimizer="lbfgs"``). It is cloned, and its ``learning_rate`` ignored.
    low : float, default=1e-6
        First learning rate.
    high : float, default=10.0
        Last learning rate.
    n_steps : int, default=120
        Number of steps.

    Attributes
    ----------
    learning_rates_ : ndarray of shape (n_steps_taken,)
        Learning rates.
    losses_ : ndarray of shape (n_steps_taken,)
        Smoothed training losses.
    suggestion_ : float
        Learning rate to take.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", arXiv:1506.01186.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_deep import LearningRateFinder, MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> finder = LearningRateFinder(MLPClassifier(random_state=0)).fit(X / 16, y)
    >>> bool(1e-4 < finder.suggestion_ < 1e-1)
    True
    """

    _rules: ClassVar[Rules] = {
        "estimator": (InstanceOf((DeepEstimator,), "a network of sklearn_deep"),),
        "low": (_POSITIVE,),
        "high": (_POSITIVE,),
        "n_steps": (Number(Integral, 10),),
    }

    @names_unknown_arguments
    def __init__(
        self, estimator, *, low=RANGE_TEST[0], high=RANGE_TEST[1], n_steps=RANGE_TEST[2]
    ):
        self.estimator = estimator
        self.low = low
        self.high = high
        self.n_steps = n_steps

    @names_unknown_arguments
    def fit(self, X, y, sample_weight=None):
        """Run the test.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : object
            The finder.

        Raises
        ------
        ValueError
            When no learning rate gave a finite loss, or ``low >= high``.
        """
        with all_or_nothing(self):
            check_params(self, self._rules)
            if self.low >= self.high:
                raise ValueError(
                    f"low must be below high; got low={self.low} and high={self.high}."
                )
            network = clone(self.estimator)
            check_params(network, network._rules)
            if network.optimizer == "lbfgs":
                raise ValueError(
                    "LearningRateFinder: optimizer='lbfgs' has no learning rate; it"
                    " searches for its step."
                )
            job = prepare(network, FitArguments(X, y, sample_weight)).job
            test = range_test(job, self.low, self.high, self.n_steps)
            self.learning_rates_, self.losses_, self.suggestion_ = test
            self.n_features_in_ = network.n_features_in_
            if hasattr(network, "feature_names_in_"):
                self.feature_names_in_ = network.feature_names_in_
        return self

    def plot(self, ax=None):
        """Draw the losses over the learning rates, with the suggestion marked.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ax : matplotlib Axes
            Where it was drawn.
        """
        check_is_fitted(self)
        if ax is None:
            _, ax = pyplot(type(self).__name__).subplots()
        ax.plot(self.learning_rates_, self.losses_)
        ax.axvline(
            self.suggestion_,
            color="0.5",
            linestyle="--",
            label=f"suggestion {self.suggestion_:.1e}",
        )
        ax.set(xscale="log", xlabel="learning rate", ylabel="training loss (smoothed)")
        ax.legend()
        return ax

    def __sklearn_tags__(self):
        """Take what the network takes."""
        tags = super().__sklearn_tags__()
        inner = self.estimator.__sklearn_tags__()
        tags.target_tags = inner.target_tags
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        return tags
