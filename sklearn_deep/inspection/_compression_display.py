"""Plot of a compression report: score against size, and against prediction time."""

import numpy as np

from sklearn_deep._plotting import legend_beside, plain_ticks, pyplot
from sklearn_deep.inspection._compression_report import compression_report

# Begins of the names of columns, the preferred one first, and the label of the axis.
_SIZES = {"onnx_bytes": "bytes of the ONNX file", "pickle_bytes": "bytes of the pickle"}
_TIMES = {
    "onnx_us_": "microseconds per row, onnxruntime, batches of {n}",
    "python_us_": "microseconds per row, Python, batches of {n}",
}
# Colours repeat after ten models; then another marker tells them apart.
_MARKERS, _N_COLORS = "osD^v", 10


class CompressionDisplay:
    """Plot of scores of models against their size and prediction time.

    A dashed line connects the models that no other one beats: the Pareto front.

    Use :meth:`from_estimators` to make one.

    Parameters
    ----------
    report : CompressionReport
        Report to plot.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
        Axes of the plots against size and time.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    compression_report : The same results as a table.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import CompressionDisplay, MLPClassifier, Sliced
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((64,), max_epochs=10, random_state=0)
    >>> models = [net.fit(X, y), Sliced(net, keep=0.25).fit(X, y)]
    >>> CompressionDisplay.from_estimators(models, X, y)  # doctest: +SKIP
    """

    def __init__(self, report):
        self.report = report

    @classmethod
    def from_estimators(cls, models, X, y=None, *, names=None, scoring=None, axes=None):
        """Compare fitted models and plot the result.

        Parameters
        ----------
        models : sequence of estimators
            Fitted networks, compressions of them, or Pipelines or searches around
            either.
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows for scores and prediction times.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets for the scores.
        names : sequence of str, default=None
            Labels of the models; None for the names of their classes.
        scoring : str, callable or None, default=None
            Scorer; None for each model's own ``score``.
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        display : CompressionDisplay
            The display.
        """
        report = compression_report(models, X, y, names=names, scoring=scoring)
        return cls(report).plot(axes=axes)

    def plot(self, axes=None):
        """Plot one point per model.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        display : CompressionDisplay
            The display itself.
        """
        if axes is None:
            _, axes = pyplot(type(self).__name__).subplots(
                1, 2, sharey=True, figsize=(10.5, 4), layout="constrained"
            )
        axes = np.asarray(axes, dtype=object)
        for ax, choices in zip(axes, (_SIZES, _TIMES), strict=True):
            costs, label = _costs(self.report, choices)
            scores = self.report.columns["score"]
            ax.plot(*_front(costs, scores), "--", color="0.6", zorder=0)
            for k, name in enumerate(self.report.names):
                marker = _MARKERS[k // _N_COLORS % len(_MARKERS)]
                ax.plot([costs[k]], [scores[k]], marker, markersize=9, label=name)
            ax.set(xscale="log", xlabel=label)
            plain_ticks(ax.xaxis)
            ax.margins(x=0.1)
        axes[0].set_ylabel("score")
        legend_beside(axes[-1])
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _costs(report, choices):
    """The first column that begins with one of ``choices``, and the label of its axis."""
    for begin, label in choices.items():
        found = [name for name in report.columns if name.startswith(begin)]
        if found:  # times of most rows at once are last
            n = found[-1].removeprefix(begin)
            return report.columns[found[-1]], label.format(n=f"{int(n or 0):,}")
    raise ValueError(
        "CompressionDisplay needs a report with one of the columns"
        f" {', '.join(f'{begin}...' for begin in choices)}; got"
        f" {', '.join(report.columns)}."
    )


def _front(costs, scores):
    """Corners of the line below which a model is beaten by a cheaper or equal one."""
    xs: list[float] = []
    ys: list[float] = []
    for k in np.lexsort((-np.asarray(scores), costs)):
        if np.isfinite(costs[k]) and (not ys or scores[k] > ys[-1]):
            xs += [costs[k], costs[k]] if ys else [costs[k]]
            ys += [ys[-1], scores[k]] if ys else [scores[k]]
    return xs, ys
