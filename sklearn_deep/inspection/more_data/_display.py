"""Plot of a learning curve over the number of rows."""

import numpy as np

from sklearn_deep._plotting import (
    legend_beside,
    plain_ticks,
    plot_with_band,
    two_panels,
)
from sklearn_deep.inspection.capacity._capacity_curve import standard_error
from sklearn_deep.inspection.more_data._more_data_curve import (
    MoreDataCurve,
    more_data_curve,
)


class MoreDataCurveDisplay:
    """Plot of scores and seconds against the number of training rows.

    Bands are one standard error of the folds. Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    curve : MoreDataCurve
        Curve to plot.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
        Axes of the scores, and of the seconds.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    more_data_curve : The same results as a table.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, MoreDataCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16,), max_epochs=20, random_state=0)
    >>> MoreDataCurveDisplay.from_estimator(net, X, y)  # doctest: +SKIP
    """

    def __init__(self, curve: MoreDataCurve):
        self.curve = curve

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, axes=None, **options):
        """Train a network on more and more rows and plot the result.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A network, or a Pipeline that ends in one.
        X : source, or array-like of shape (n_samples, ...)
            Rows.
        y : array-like of shape (n_samples,) or str, default=None
            Targets.
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        **options : dict
            Further arguments of :func:`more_data_curve`.

        Returns
        -------
        display : MoreDataCurveDisplay
            The display.
        """
        return cls(more_data_curve(estimator, X, y, **options)).plot(axes)

    def plot(self, axes=None):
        """Plot the curve.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        display : MoreDataCurveDisplay
            The display itself.
        """
        if axes is None:
            name = type(self).__name__
            axes = two_panels(name, figsize=(8.0, 6.0), sharex=True)
        scores, costs = axes
        self._plot_scores(scores)
        self._plot_seconds(costs)
        self.axes_, self.figure_ = np.array([scores, costs]), scores.figure
        return self

    def _plot_scores(self, ax):
        curve = self.curve
        parts = {
            "from scratch": curve.scratch_scores,
            "from the smaller size": curve.continued_scores,
        }
        for label, scores in parts.items():
            mean = scores.mean(1)
            around = np.array([standard_error(of_folds) for of_folds in scores])
            plot_with_band(ax, curve.n_rows, mean, around, label)
        ax.set(xscale="log", ylabel=curve.scoring)
        plain_ticks(ax.xaxis)
        legend_beside(ax)

    def _plot_seconds(self, ax):
        curve = self.curve
        ax.plot(curve.n_rows, curve.scratch_seconds, "C0o-", ms=4)
        ax.plot(curve.n_rows, curve.continued_seconds, "C1o-", ms=4)
        ax.set(
            xscale="log",
            xlabel="training rows",
            ylabel="seconds of a fit",
            ylim=(0, None),
        )
        plain_ticks(ax.xaxis)
