"""Plot of a compression report: score against size, and against prediction time."""

import numpy as np

from sklearn_deep._plotting import legend_beside, plain_ticks, pyplot
from sklearn_deep.inspection._compression_report import compression_report

_SIZES = {"onnx_bytes": "bytes of the ONNX file", "pickle_bytes": "bytes of the pickle"}
_TIMES = {
    "onnx_us_1024": "microseconds per row, onnxruntime, 1,024 rows",
    "python_us_1024": "microseconds per row, Python, 1,024 rows",
}


class CompressionDisplay:
    """Plot of scores of models against their size and prediction time.

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
            columns = self.report.columns
            column = next(name for name in choices if name in columns)
            for name, x, score in zip(
                self.report.names, columns[column], columns["score"], strict=True
            ):
                ax.plot([x], [score], "o", markersize=9, label=name)
            ax.set(xscale="log", xlabel=choices[column])
            plain_ticks(ax.xaxis)
            ax.margins(x=0.1)
        axes[0].set_ylabel("score")
        legend_beside(axes[-1])
        self.axes_, self.figure_ = axes, axes[0].figure
        return self
