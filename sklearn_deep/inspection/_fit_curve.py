"""Plot of training and validation loss per epoch."""

import numpy as np

from sklearn_deep._plotting import legend_beside, pyplot, whole_ticks
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import fitted_of

_LABELS = {"train_loss": "training", "valid_loss": "validation"}

# Attributes in which meta-estimators store the fitted estimator.
_INSIDE = ("best_estimator_", "estimator_", "regressor_")


class FitCurveDisplay:
    """Plot of the losses of a fit per epoch, with the best epoch marked.

    Use :meth:`from_estimator` to make one.

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

    def __init__(self, *, epochs, curves, best_epoch, estimator_name=None):
        self.epochs = epochs
        self.curves = curves
        self.best_epoch = best_epoch
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log_scale=False):
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

        Returns
        -------
        display : FitCurveDisplay
            The display.

        Raises
        ------
        TypeError
            If no fitted network is found.
        """
        network = find_network(estimator, cls.__name__)
        history = fitted_of(network).history
        epochs = np.array([row["epoch"] for row in history])
        curves = {
            label: np.array([row[name] for row in history])
            for name, label in _LABELS.items()
        }
        curves = {k: v for k, v in curves.items() if not np.isnan(v).all()}
        display = cls(
            epochs=epochs,
            curves=curves,
            best_epoch=network.best_epoch_,
            estimator_name=type(network).__name__,
        )
        return display.plot(ax=ax, log_scale=log_scale)

    def plot(self, ax=None, *, log_scale=False):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None creates a figure.
        log_scale : bool, default=False
            Whether the losses are on a logarithmic axis.

        Returns
        -------
        display : FitCurveDisplay
            The display itself.
        """
        if ax is None:
            _, ax = pyplot(type(self).__name__).subplots(
                figsize=(8.0, 4.2), layout="constrained"
            )
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
        if log_scale:
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel="loss", title=self.estimator_name or "")
        whole_ticks(ax.xaxis)
        legend_beside(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


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
