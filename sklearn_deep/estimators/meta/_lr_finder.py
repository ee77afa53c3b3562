"""The learning-rate range test as an estimator."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep._params import Number, Rules, Satisfies, check_params
from sklearn_deep._plotting import pyplot
from sklearn_deep.estimators.core._all_or_nothing import all_or_nothing
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fit import prepare
from sklearn_deep.estimators.core._learning_rate import RANGE_TEST
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.estimators.meta._holdout import ValidationHoldout
from sklearn_deep.training.loop._lr_range import range_test

_POSITIVE = Number(low=0, open_low=True)


def _inside(estimator: Any) -> tuple[str, Any]:
    """Name and value of the parameter that holds the network, or the path to it."""
    if isinstance(estimator, Pipeline) and estimator.steps:
        return estimator.steps[-1]
    if isinstance(estimator, ValidationHoldout):
        return "estimator", estimator.estimator
    if isinstance(estimator, TransformedTargetRegressor):
        return "regressor", estimator.regressor
    return "", None


def _without_search(estimator: Any) -> Any:
    """The best or initial estimator of a search; other estimators unchanged."""
    # Searches have no common public base class: recognise them by their parameters.
    while hasattr(estimator, "estimator") and hasattr(estimator, "refit"):
        estimator = getattr(estimator, "best_estimator_", estimator.estimator)
    return estimator


def _leads_to_network(estimator: Any) -> bool:
    while estimator is not None:
        estimator = _without_search(estimator)
        if isinstance(estimator, DeepEstimator):
            return True
        _, estimator = _inside(estimator)
    return False


def _with_test(estimator: Any, low: float, high: float, n_steps: int) -> Any:
    """Clone an estimator with the range test in place of the network."""
    estimator = _without_search(estimator)
    if isinstance(estimator, DeepEstimator):
        test = _RangeTest(clone(estimator), low, high, n_steps)
        routed = get_config()["enable_metadata_routing"]
        return test.set_fit_request(sample_weight=True) if routed else test
    name, inner = _inside(estimator)
    return clone(estimator).set_params(**{name: _with_test(inner, low, high, n_steps)})


def _weight_name(estimator: Any) -> str:
    """Name of the ``fit`` argument that reaches the network as sample weights."""
    if get_config()["enable_metadata_routing"]:
        return "sample_weight"
    steps = []
    while not isinstance(estimator, _RangeTest):
        name, inner = _inside(estimator)
        if isinstance(estimator, Pipeline):
            steps.append(name)
        estimator = inner
    return "__".join([*steps, "sample_weight"])


def _fitted_test(estimator: Any) -> "_RangeTest":
    while not isinstance(estimator, _RangeTest):
        name, inner = _inside(estimator)
        estimator = (
            inner if isinstance(estimator, Pipeline) else getattr(estimator, f"{name}_")
        )
    return estimator


class _RangeTest(BaseEstimator):
    """Takes the place of a network, and runs the range test on the network's input."""

    def __init__(self, network, low, high, n_steps):
        self.network = network
        self.low = low
        self.high = high
        self.n_steps = n_steps

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Run the test."""
        check_params(self.network, self.network._rules)
        if self.network.optimizer == "lbfgs":
            raise ValueError(
                "LearningRateFinder: optimizer='lbfgs' has no learning rate; it finds"
                " its step sizes by line search. Choose another optimizer."
            )
        given = FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)
        prepared = prepare(self.network, given)
        self.result_ = range_test(prepared.job, self.low, self.high, self.n_steps)
        features = prepared.fitted.features
        if features.n_features_in is not None:
            self.n_features_in_ = features.n_features_in
        if features.feature_names_in is not None:
            self.feature_names_in_ = features.feature_names_in
        return self

    def predict(self, X):
        """Exists only because TransformedTargetRegressor checks for the method."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        """Report the tags of the network."""
        return self.network.__sklearn_tags__()


class LearningRateFinder(MetaEstimatorMixin, BaseEstimator):
    """Learning-rate range test: train at increasing rates and see where the loss falls.

    A new network is trained for ``n_steps`` steps, while the learning rate grows
    geometrically from ``low`` to ``high``; the test ends early when the loss exceeds
    twice its initial value. The suggested rate is the one at which the smoothed loss
    has fallen half the way to its minimum. ``learning_rate="auto"`` of the estimators
    runs the same test.

    Parameters
    ----------
    estimator : estimator
        A network of sklearn_deep (not with ``optimizer="lbfgs"``), or a Pipeline,
        :class:`ValidationHoldout` or TransformedTargetRegressor that ends in one, whose
        other steps are fitted first. For a search, its ``best_estimator_`` is tested,
        or its ``estimator`` if it is not fitted. It is cloned, and the
        ``learning_rate`` of the network is ignored.
    low : float, default=1e-6
        First learning rate.
    high : float, default=10.0
        Last learning rate.
    n_steps : int, default=120
        Number of steps.

    Attributes
    ----------
    learning_rates_ : ndarray of shape (n_steps_taken,)
        Learning rate of each step.
    losses_ : ndarray of shape (n_steps_taken,)
        Smoothed training loss of each step.
    suggestion_ : float
        Suggested learning rate.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if the column names of X are strings.

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

    For a whole Pipeline, including the steps before the network:

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> pipe = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
    >>> finder = LearningRateFinder(pipe).fit(X, y)
    >>> pipe = pipe.set_params(mlpclassifier__learning_rate=finder.suggestion_)
    """

    _rules: ClassVar[Rules] = {
        "estimator": (
            Satisfies(
                _leads_to_network,
                "a network of sklearn_deep, or a Pipeline, search, ValidationHoldout or"
                " TransformedTargetRegressor that ends in one",
            ),
        ),
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
            Features, as the first step takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, for the network.

        Returns
        -------
        self : object
            The finder.

        Raises
        ------
        ValueError
            If no learning rate gives a finite loss, or ``low >= high``.
        """
        with all_or_nothing(self):
            check_params(self, self._rules)
            if self.low >= self.high:
                raise ValueError(
                    f"low must be below high; got low={self.low} and high={self.high}."
                )
            estimator = _with_test(self.estimator, self.low, self.high, self.n_steps)
            weight = {}
            if sample_weight is not None:
                weight = {_weight_name(estimator): sample_weight}
            estimator.fit(X, y, **weight)
            test = _fitted_test(estimator).result_
            self.learning_rates_, self.losses_, self.suggestion_ = test
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(estimator, name):
                    setattr(self, name, getattr(estimator, name))
        return self

    def plot(self, ax=None):
        """Plot the loss against the learning rate, with the suggestion marked.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        ax : matplotlib Axes
            Axes with the plot.
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
        """Report the input and target tags of the network."""
        tags = super().__sklearn_tags__()
        inner = _without_search(self.estimator).__sklearn_tags__()
        tags.target_tags = inner.target_tags
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        return tags
