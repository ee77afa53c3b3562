"""Plot of a diagnosis: the learning curve, and what each change gains."""

from typing import Any

import numpy as np

from sklearn_deep._plotting import legend_beside, plain_ticks, two_panels
from sklearn_deep.inspection.diagnosis._diagnosis import Diagnosis, diagnose

# The curve is drawn on to so many times the rows there are.
_AHEAD = 4.0


class DiagnosisDisplay:
    """Plot of a diagnosis.

    Above: scores of rows left out by the number of training rows, with the power law
    through them, its interval (90 %), and the scores of other models. Below: what each
    change gains, with its standard error. Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    diagnosis : Diagnosis
        Diagnosis to plot.

    Attributes
    ----------
    axes_ : ndarray of two matplotlib Axes
        Axes of the learning curve and of the changes.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    diagnose : The same results as a report.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import DiagnosisDisplay, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((16,), max_epochs=5, random_state=0)
    >>> DiagnosisDisplay.from_estimator(net, X, y)  # doctest: +SKIP
    """

    def __init__(self, diagnosis: Diagnosis):
        self.diagnosis = diagnosis

    @classmethod
    def from_estimator(cls, estimator, X, y, *, axes=None, **options):
        """Diagnose an estimator and plot the result.

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
            Further arguments of :func:`diagnose`.

        Returns
        -------
        display : DiagnosisDisplay
            The display.
        """
        return cls(diagnose(estimator, X, y, **options)).plot(axes)

    def plot(self, axes=None):
        """Plot the diagnosis.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Axes to plot on; None creates a figure.

        Returns
        -------
        display : DiagnosisDisplay
            The display itself.
        """
        if axes is None:
            axes = two_panels(type(self).__name__, figsize=(8.5, 7.0))
        self._plot_curve(axes[0])
        self._plot_gains(axes[1])
        self.axes_, self.figure_ = np.array(axes), axes[0].figure
        return self

    def _plot_curve(self, ax: Any) -> None:
        evidence = self.diagnosis.evidence
        mean = evidence.curve.mean(0)
        spread = evidence.curve.std(0, ddof=1) / np.sqrt(len(evidence.curve))
        ax.errorbar(
            evidence.sizes, mean, spread, fmt="o", color="C0", label="rows left out"
        )
        last = evidence.sizes[-1]
        ax.plot(
            last, evidence.base.train.mean(), "s", color="C1", label="training rows"
        )
        law, top = evidence.law(), np.nan_to_num(evidence.perfect)
        if law is not None:
            ahead = np.geomspace(evidence.sizes[0], _AHEAD * last, 40)
            low, high = np.array([law.interval(n) for n in ahead]).T
            ax.plot(ahead, [top - law.predict(n) for n in ahead], "C0--", lw=1)
            ax.fill_between(ahead, top - high, top - low, color="C0", alpha=0.15, lw=0)
        for k, (name, scores) in enumerate(evidence.references.items()):
            ax.axhline(scores.test.mean(), color=f"C{k + 2}", ls=":", label=name)
        ax.set(
            xscale="log",
            xlabel="training rows",
            ylabel=evidence.scoring,
            title=f"{self.diagnosis.estimator_name}: {self.diagnosis.verdict}",
        )
        plain_ticks(ax.xaxis)
        legend_beside(ax)

    def _plot_gains(self, ax: Any) -> None:
        evidence = self.diagnosis.evidence
        gains = {name: evidence.gain(name) for name in evidence.changed}
        names = sorted(gains, key=lambda name: gains[name].mean)
        means = np.array([gains[name].mean for name in names])
        errors = [gains[name].error for name in names]
        colours = ["C2" if mean > 0 else "0.6" for mean in means]
        ax.barh(names, means, xerr=errors, color=colours, ecolor="0.3", capsize=3)
        ax.axvline(0.0, color="0.3", lw=0.8)
        ax.set_xlabel(f"gain in {evidence.scoring} of rows left out")
