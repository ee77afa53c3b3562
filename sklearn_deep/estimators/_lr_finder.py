"""The learning-rate range test as an estimator, to look at before a fit."""

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
from sklearn_deep.estimators._base import DeepEstimator, all_or_nothing
from sklearn_deep.estimators._data import FitArguments
from sklearn_deep.estimators._fitting import RANGE_TEST, prepare
from sklearn_deep.estimators._holdout import ValidationHoldout
from sklearn_deep.training.loop._lr_range import range_test

_POSITIVE = Number(low=0, open_low=True)


def _inside(estimator: Any) -> tuple[str, Any]:
    """The parameter that leads to the network, and what stands there."""
    if isinstance(estimator, Pipeline) and estimator.steps:
        return estimator.steps[-1]
    if isinstance(estimator, ValidationHoldout):
        return "estimator", estimator.estimator
    if isinstance(estimator, TransformedTargetRegressor):
        return "regressor", estimator.regressor
    return "", None


def _without_search(estimator: Any) -> Any:
    """What a search has found, or would begin with; anything else as it is."""
    # scikit-learn's searches have no public base, and others have their own.
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
    """A clone in which the test stands in the place of the network."""
    estimator = _without_search(estimator)
    if isinstance(estimator, DeepEstimator):
        test = _RangeTest(clone(estimator), low, high, n_steps)
        routed = get_config()["enable_metadata_routing"]
        return test.set_fit_request(sample_weight=True) if routed else test
    name, inner = _inside(estimator)
    return clone(estimator).set_params(**{name: _with_test(inner, low, high, n_steps)})


def _weight_name(estimator: Any) -> str:
    """What ``fit`` calls the weights that the network gets."""
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
    """Stands where a network is, and runs the test on what the network would be fed."""

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
                "LearningRateFinder: optimizer='lbfgs' has no learning rate; it"
                " searches for its step."
            )
        given = FitArguments(X, y, sample_weight, X_val, y_val, sample_weight_val)
        job = prepare(self.network, given, before=None).job
        self.result_ = range_test(job, self.low, self.high, self.n_steps)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.network, name):
                setattr(self, name, getattr(self.network, name))
        return self

    def predict(self, X):
        """Predict nothing: TransformedTargetRegressor asks for the method alone."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        """Be what the network is."""
        return self.network.__sklearn_tags__()


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
        (not ``optimizer="lbfgs"``), or a Pipeline, :class:`ValidationHoldout` or
        TransformedTargetRegressor that ends in one: its steps are fitted, and the
        network gets what they give. Of a search, ``best_estimator_``, or ``estimator``
        before its fit. It is cloned, and its ``learning_rate`` ignored.
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

    Of a whole Pipeline, the steps before the network included:

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
            When no learning rate gave a finite loss, or ``low >= high``.
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
        inner = _without_search(self.estimator).__sklearn_tags__()
        tags.target_tags = inner.target_tags
        tags.input_tags = inner.input_tags
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        return tags
