"""Plot of training and validation loss per epoch, of one fit or of several."""

from collections.abc import Mapping
from numbers import Integral

import numpy as np

from sklearn_deep._params import Number, check_value
from sklearn_deep._plotting import legend_beside, pyplot, whole_ticks
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.inspection._candidates import best_candidates
from sklearn_deep.inspection._history import history_verdict

_LABELS = {"train_loss": "training", "valid_loss": "validation"}

# Ends of a training that its last epoch is marked for.
_EARLY = {
    "early_stopping": "stopped early",
    "converged": "stopped early",
    "time_limit": "time limit",
    "callback": "stopped by callback",
}

# Where a legend begins beside a second axis with its labels, in widths of the axes.
_BEHIND_AXIS = 1.2

# Attributes in which meta-estimators store the fitted estimator.
_INSIDE = ("best_estimator_", "estimator_", "regressor_")


class FitCurveDisplay:
    """Plot of the losses of a fit per epoch, with the best epoch marked.

    Use :meth:`from_estimator` to make one, and :meth:`from_estimators` to compare fits.
    From ten epochs on, the title says how the fit went: whether the losses were still
    falling, settled, or rose again on the validation rows.

    Parameters
    ----------
    epochs : ndarray of shape (n_epochs,)
        Epochs, counted from 1.
    curves : dict of str to ndarray of shape (n_epochs,)
        Losses by label.
    best_epoch : int
        Epoch that the weights are from.
    estimator_name : str, default=None
        Title of the plot.
    learning_rates : ndarray of shape (n_epochs,), default=None
        Learning rate of each epoch, for ``plot(learning_rate=True)``.
    verdict : str, default=""
        How the fit went; it is part of the title.
    stop_reason : str, default="max_epochs"
        Why training ended; an early end is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    lines_ : list of matplotlib Line2D
        One line per curve.

    See Also
    --------
    LearningRateFinder : Plot the loss against the learning rate before a fit.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import FitCurveDisplay, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier(early_stopping=True, random_state=0).fit(X, y)
    >>> display = FitCurveDisplay.from_estimator(net)  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        epochs,
        curves,
        best_epoch,
        estimator_name=None,
        learning_rates=None,
        verdict="",
        stop_reason="max_epochs",
    ):
        self.epochs = epochs
        self.curves = curves
        self.best_epoch = best_epoch
        self.estimator_name = estimator_name
        self.learning_rates = learning_rates
        self.verdict = verdict
        self.stop_reason = stop_reason

    @classmethod
    def from_estimator(
        cls, estimator, *, ax=None, log_scale=False, learning_rate=False
    ):
        """Plot the training history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted network, or a Pipeline, search or other meta-estimator with one in
            ``best_estimator_``, ``estimator_`` or ``regressor_``.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        log_scale : bool, default=False
            Whether the losses are on a logarithmic axis.
        learning_rate : bool, default=False
            Whether to draw the learning rate of each epoch on an axis of its own.

        Returns
        -------
        display : FitCurveDisplay
            The display.

        Raises
        ------
        TypeError
            If no fitted network is found.
        """
        display = cls._of(estimator)
        return display.plot(ax=ax, log_scale=log_scale, learning_rate=learning_rate)

    @classmethod
    def from_estimators(
        cls,
        estimators,
        *,
        names=None,
        ax=None,
        log_scale=False,
        learning_rate=False,
    ):
        """Plot the training histories of several fitted estimators on the same axes.

        Training losses are dashed, validation losses solid. A dot marks the epoch that
        the weights are from, a bar the last epoch of a training that was stopped early.

        Parameters
        ----------
        estimators : sequence of estimators, or dict
            Fitted networks, or Pipelines or searches around them; or what
            ``cross_validate(..., return_estimator=True)`` gives.
        names : sequence of str, default=None
            Labels; None counts them.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        log_scale : bool, default=False
            Whether the losses are on a logarithmic axis.
        learning_rate : bool, default=False
            Whether to draw the learning rates on an axis of their own.

        Returns
        -------
        displays : list of FitCurveDisplay
            One per estimator, on the same axes.

        Raises
        ------
        TypeError
            If no fitted network is found in one of them.
        ValueError
            If there are none, or not as many names.
        """
        estimators = _listed(estimators)
        names = names or [f"fit {k + 1}" for k in range(len(estimators))]
        if len(names) != len(estimators):
            raise ValueError(
                f"{cls.__name__} needs a name for each of {len(estimators)} estimators,"
                f" got {len(names)}."
            )
        displays = [cls._of(estimator) for estimator in estimators]
        ax = _axes(cls.__name__) if ax is None else ax
        for k, (display, name) in enumerate(zip(displays, names, strict=True)):
            display._plot_beside(ax, name, f"C{k}")
        if learning_rate:
            _plot_all_rates(ax, displays)
        place = _BEHIND_AXIS if learning_rate else 1.0
        title = "training dashed, validation solid"
        _finish(ax, log_scale, title, place=place)
        return displays

    @classmethod
    def from_search(
        cls,
        search,
        X,
        y,
        *,
        n_best=5,
        ax=None,
        log_scale=False,
        learning_rate=False,
    ):
        """Plot the training histories of the best candidates of a search.

        A search keeps no histories: its best candidates are fitted again on these rows,
        all networks as one stack, and ``best_estimator_`` is taken as it is. The search
        is not modified.

        Parameters
        ----------
        search : fitted GridSearchCV, RandomizedSearchCV or the like
            With ``cv_results_``, around a network or a Pipeline with one.
        X : array-like or frame
            Rows that the search was fitted on.
        y : array-like
            Their targets.
        n_best : int, default=5
            Number of candidates.
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        log_scale : bool, default=False
            Whether the losses are on a logarithmic axis.
        learning_rate : bool, default=False
            Whether to draw the learning rates on an axis of their own.

        Returns
        -------
        displays : list of FitCurveDisplay
            One per candidate, the best first, on the same axes; the labels give the
            parameters in which they differ, and the mean score of the search.

        Raises
        ------
        TypeError
            If it is no search, or no network is found in it.
        ValueError
            If ``n_best`` is below 1, or no candidate has a score.
        NotFittedError
            If the search is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.model_selection import GridSearchCV
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from sklearn_deep import FitCurveDisplay, MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> pipe = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
        >>> grid = {"mlpclassifier__dropout": [0.0, 0.2]}
        >>> search = GridSearchCV(pipe, grid, cv=3).fit(X, y)
        >>> displays = FitCurveDisplay.from_search(search, X, y)  # doctest: +SKIP
        """
        check_value("FitCurveDisplay", "n_best", n_best, (Number(Integral, 1),))
        found = best_candidates(search, X, y, n_best)
        return cls.from_estimators(
            [candidate.estimator for candidate in found],
            names=[candidate.label for candidate in found],
            ax=ax,
            log_scale=log_scale,
            learning_rate=learning_rate,
        )

    @classmethod
    def _of(cls, estimator):
        network = find_network(estimator, cls.__name__)
        history = fitted_of(network).history
        epochs = np.array([row["epoch"] for row in history])
        curves = {
            label: np.array([row[name] for row in history])
            for name, label in _LABELS.items()
        }
        curves = {k: v for k, v in curves.items() if not np.isnan(v).all()}
        return cls(
            epochs=epochs,
            curves=curves,
            best_epoch=network.best_epoch_,
            estimator_name=type(network).__name__,
            verdict=history_verdict(history, network.best_epoch_),
            learning_rates=np.array([row["learning_rate"] for row in history]),
            stop_reason=network.stop_reason_,
        )

    def plot(self, ax=None, *, log_scale=False, learning_rate=False):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        log_scale : bool, default=False
            Whether the losses are on a logarithmic axis.
        learning_rate : bool, default=False
            Whether to draw the learning rate of each epoch on an axis of its own.

        Returns
        -------
        display : FitCurveDisplay
            The display itself.
        """
        ax = _axes(type(self).__name__) if ax is None else ax
        self.lines_ = [
            ax.plot(self.epochs, values, label=label)[0]
            for label, values in self.curves.items()
        ]
        ax.axvline(
            self.best_epoch,
            color="0.5",
            linestyle="--",
            label=f"weights kept\n(epoch {self.best_epoch})",
        )
        if self.stop_reason in _EARLY and self.epochs[-1] != self.best_epoch:
            label = f"{_EARLY[self.stop_reason]}\n(epoch {self.epochs[-1]})"
            ax.axvline(self.epochs[-1], color="0.5", linestyle=":", label=label)
        beside = learning_rate and self.learning_rates is not None
        if beside:
            self._plot_rates(ax)
        title = ": ".join(filter(None, (self.estimator_name, self.verdict)))
        _finish(ax, log_scale, title, place=_BEHIND_AXIS if beside else 1.0)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_rates(self, ax):
        """Draw the learning rate on a second axis, with an entry in the legend."""
        beside = ax.twinx()
        (line,) = beside.plot(self.epochs, self.learning_rates, color="C3", lw=0.8)
        beside.set_ylabel("learning rate")
        beside.set_ylim(0, None)
        ax.plot([], [], color=line.get_color(), lw=0.8, label="learning rate")

    def _plot_beside(self, ax, name, colour):
        """Draw the curves in one colour, as one of several fits."""
        *others, watched = self.curves.values()
        self.lines_ = [
            ax.plot(self.epochs, values, color=colour, ls="--", lw=0.8)[0]
            for values in others
        ]
        self.lines_ += ax.plot(self.epochs, watched, color=colour, label=name)
        place = int(np.searchsorted(self.epochs, self.best_epoch))
        ax.plot(self.best_epoch, watched[place], "o", color=colour, ms=5)
        if self.stop_reason in _EARLY:
            ax.plot(self.epochs[-1], watched[-1], "|", color=colour, ms=10, mew=2)
        self.ax_, self.figure_ = ax, ax.figure


def _plot_all_rates(ax, displays):
    """Draw the learning rates of several fits on a second axis, dotted."""
    beside = ax.twinx()
    for k, display in enumerate(displays):
        rates = display.learning_rates
        beside.plot(display.epochs, rates, color=f"C{k}", lw=0.8, ls=":")
    beside.set_ylabel("learning rate (dotted)")
    beside.set_ylim(0, None)


def _axes(asks):
    _, ax = pyplot(asks).subplots(figsize=(8.0, 4.2), layout="constrained")
    return ax


def _finish(ax, log_scale, title, place=1.0):
    """Scale, labels and legend."""
    if log_scale:
        ax.set_yscale("log")
    ax.set(xlabel="epoch", ylabel="loss", title=title)
    whole_ticks(ax.xaxis)
    legend_beside(ax, place)


def _listed(estimators):
    """Estimators as a list; those of ``cross_validate`` are an entry of its dict."""
    if isinstance(estimators, Mapping):
        if "estimator" not in estimators:
            raise ValueError(
                "FitCurveDisplay needs the estimators of cross_validate: call it with"
                " return_estimator=True."
            )
        estimators = estimators["estimator"]
    estimators = list(estimators)
    if not estimators:
        raise ValueError("FitCurveDisplay needs at least one estimator.")
    return estimators


def find_network(estimator, asks):
    """Find the fitted network in a Pipeline, search or other meta-estimator."""
    inner = estimator
    for _ in range(20):
        if isinstance(inner, DeepEstimator):
            if inner.__sklearn_is_fitted__():
                return inner
            break
        if hasattr(inner, "steps"):
            inner = inner.steps[-1][1]
        else:
            found = (getattr(inner, name, None) for name in _INSIDE)
            inner = next((one for one in found if one is not None), None)
        if inner is None:
            break
    raise TypeError(
        f"{asks} needs a fitted network of sklearn_deep, or a Pipeline or search"
        f" around one; got {type(estimator).__name__}. Has it been fitted?"
    )
