"""Plot of a capacity curve: errors, and what each size costs."""

import numpy as np

from sklearn_deep._plotting import (
    legend_beside,
    plain_ticks,
    plot_with_band,
    two_panels,
)
from sklearn_deep.inspection.capacity._capacity_curve import (
    CapacityCurve,
    capacity_curve,
    standard_error,
)


class CapacityCurveDisplay:
    """Plot of train and test errors against the number of parameters.

    Bands are one standard error of the folds. Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    curve : CapacityCurve
        Curve to plot.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
        Axes of the errors, and of seconds and bytes.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    capacity_curve : The same results as a table.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import CapacityCurveDisplay, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((64,), max_epochs=20, random_state=0)
    >>> CapacityCurveDisplay.from_estimator(net, X, y)  # doctest: +SKIP
    """

    def __init__(self, curve: CapacityCurve):
        self.curve = curve

    @classmethod
    def from_estimator(cls, estimator, X, y, *, axes=None, **options):
        """Cross-validate a network in several sizes and plot the result.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A network, or a Pipeline around one.
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        **options : dict
            Further arguments of :func:`capacity_curve`.

        Returns
        -------
        display : CapacityCurveDisplay
            The display.
        """
        return cls(capacity_curve(estimator, X, y, **options)).plot(axes)

    def plot(self, axes=None):
        """Plot the curve.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        display : CapacityCurveDisplay
            The display itself.
        """
        if axes is None:
            name = type(self).__name__
            axes = two_panels(name, figsize=(8.0, 6.0), sharex=True)
        errors, costs = axes
        self._plot_errors(errors)
        self._plot_costs(costs)
        self.axes_, self.figure_ = np.array([errors, costs]), errors.figure
        return self

    def _plot_errors(self, ax):
        curve, (name, error) = self.curve, _as_error(self.curve.scoring)
        parts = {
            "training rows": curve.train_scores,
            "rows left out": curve.test_scores,
        }
        for label, scores in parts.items():
            mean = error(scores.mean(1))
            around = np.array([standard_error(of_folds) for of_folds in scores])
            plot_with_band(ax, curve.n_parameters, mean, around, label)
        chosen = curve.n_parameters[curve.smallest_index]
        label = f"smallest within one\nstandard error: {chosen:,}"
        ax.axvline(chosen, color="0.5", linestyle="--", label=label)
        ax.set(xscale="log", ylabel=name)
        plain_ticks(ax.xaxis, decades=True)
        legend_beside(ax)

    def _plot_costs(self, ax):
        curve, beside = self.curve, ax.twinx()
        (seconds,) = ax.plot(curve.n_parameters, curve.seconds, "C2o-", ms=4)
        (n_bytes,) = beside.plot(curve.n_parameters, curve.n_bytes, "C4s-", ms=4)
        ax.set(
            xscale="log", xlabel="parameters", ylabel="seconds of a fit", ylim=(0, None)
        )
        beside.set(yscale="log", ylabel="bytes")
        for axis, line in ((ax, seconds), (beside, n_bytes)):
            axis.yaxis.label.set_color(line.get_color())
        for axis in (ax.xaxis, beside.yaxis):
            plain_ticks(axis, decades=True)


def _as_error(scoring: str):
    """Name of the error that belongs to a score, and how it follows."""
    if scoring.startswith("neg_"):
        return scoring.removeprefix("neg_").replace("_", " "), np.negative
    return f"1 - {scoring}", lambda score: 1 - score
