"""The standard error of the estimate of a regression, and its scorer."""

from numbers import Integral

import numpy as np
from sklearn.metrics import mean_squared_error

from sklearn_deep._params import Number, check_value

_RULES = {"n_fitted": (Number(Integral, 0),)}


def standard_error_of_estimate(y_true, y_pred, *, sample_weight=None, n_fitted=0):
    """Compute the typical error of predictions, in the units of the target.

    It is ``sqrt(sum((y_true - y_pred) ** 2) / (n_samples - n_fitted))``: on rows that the
    model was not fitted to, the root of the mean squared error; on the rows of its fit,
    with ``n_fitted`` the number of parameters of a linear model, the estimate of the
    noise that classical statistics gives.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
        True targets.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_targets)
        Predictions.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    n_fitted : int, default=0
        Parameters that were fitted to these very rows.

    Returns
    -------
    error : float
        The mean over the targets; 0 is the best.

    Raises
    ------
    ValueError
        If there are not more rows than ``n_fitted``.

    Examples
    --------
    >>> from sklearn_deep import standard_error_of_estimate
    >>> standard_error_of_estimate([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 5.0], n_fitted=2)
    1.0
    """
    check_value("standard_error_of_estimate", "n_fitted", n_fitted, _RULES["n_fitted"])
    n = len(np.asarray(y_true))
    if n <= n_fitted:
        raise ValueError(
            f"standard_error_of_estimate needs more rows than n_fitted={n_fitted}, got {n}."
            " On rows that the model was not fitted to, n_fitted is 0."
        )
    squares = mean_squared_error(
        y_true, y_pred, sample_weight=sample_weight, multioutput="raw_values"
    )
    return float(np.sqrt(squares * (n / (n - n_fitted))).mean())


def standard_error_of_estimate_scorer(estimator, X, y, sample_weight=None):
    """Score a regressor by its negative standard error, for ``scoring=``.

    Parameters
    ----------
    estimator : fitted regressor
        A network, a Pipeline, or any regressor of scikit-learn.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows that it was not fitted to.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        True targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.

    Returns
    -------
    score : float
        ``-standard_error_of_estimate(y, estimator.predict(X))``; higher is better.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_deep import MLPRegressor, standard_error_of_estimate_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = MLPRegressor((8,), max_epochs=5, random_state=0)
    >>> scores = cross_val_score(net, X, y, scoring=standard_error_of_estimate_scorer)
    >>> scores.shape
    (5,)
    """
    return -standard_error_of_estimate(
        y, estimator.predict(X), sample_weight=sample_weight
    )
