"""What twice the rows would gain, by a learning curve that is fitted by a power law."""

import numpy as np
from scipy.stats import norm
from sklearn.utils import _safe_indexing

from sklearn_deep.inspection._power_law import PowerLaw, curve_of_folds, fit_power_law
from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._out_of_fold import fit_and_predict, model_of

# Shares of the training rows; _HALF is the place of one half.
_SHARES, _HALF = np.geomspace(0.25, 1.0, 5), 2


def enough(data: CheckInput) -> list[Found]:
    """The expected fall of the error with twice the rows, and its interval.

    Two tests on the same rows stand behind the finding: the model beats a constant, and
    the last doubling of the rows lowered its loss.
    """
    assert data.target is not None
    losses, sizes = _losses(data)
    n, folds = len(data.rows), data.out_of_fold.folds
    errors = np.stack([losses[folds == k].mean(0) for k in np.unique(folds)])
    mean, covariance, dof = _noise_of(errors, shared_rows=1 / (data.cv - 1))
    law = fit_power_law(sizes, mean, covariance, dof=dof)
    table = _curve_table(law, sizes, mean, np.sqrt(np.diag(covariance)), n)
    baseline = data.target.of_rows(data.out_of_fold.rows).constant(
        np.arange(len(losses))
    )
    better = (losses[:, -1] - baseline, losses[:, -1] - losses[:, _HALF])
    p_value = max(_falls(difference, data.cv) for difference in better)
    if p_value > data.alpha:
        return [Found("enough", table)]
    gain, low, high = law.gain(n, 2 * n)
    name = "Brier score" if data.target.is_classes else "mean squared error"
    finding = DataFinding(
        "enough",
        "low",
        f"twice the rows ({2 * n:,}) are expected to lower the {name} from"
        f" {law.predict(n):.3g} by {gain:.2g} ({low:.2g} to {high:.2g} with 90 %).",
        p_value,
        "Collect or augment rows: the last doubling still lowered the error.",
        "print(report.enough_)",
    )
    return [Found("enough", table, finding)]


def _falls(difference: np.ndarray, n_folds: int) -> float:
    """p-value of a mean difference of 0 or more; folds share training rows."""
    inflation = 1 + n_folds / (n_folds - 1)
    error = np.sqrt(difference.var(ddof=1) * inflation / len(difference))
    return float(norm.cdf(difference.mean() / error)) if error > 0 else 1.0


def _curve_table(
    law: PowerLaw, sizes: np.ndarray, mean: np.ndarray, error: np.ndarray, n: int
) -> dict[str, np.ndarray]:
    """Measured errors, and those of the law at all and at twice the rows."""
    ends = np.array([law.interval(m) for m in (n, 2 * n)])
    return {
        "n_rows": np.append(sizes, [n, 2 * n]),
        "error": np.append(mean, [law.predict(n), law.predict(2 * n)]),
        "low": np.append(mean - 1.645 * error, ends[:, 0]),
        "high": np.append(mean + 1.645 * error, ends[:, 1]),
        "measured": np.arange(len(sizes) + 2) < len(sizes),
    }


def _noise_of(
    errors: np.ndarray, shared_rows: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean curve, its covariance and degrees of freedom; noise in proportion to the error.

    A curve that falls tenfold has as much less noise at its end.
    """
    mean = errors.mean(0)
    unit = np.maximum(mean, 1e-300)
    _, relative, dof = curve_of_folds(errors / unit, shared_rows=shared_rows)
    return mean, relative * np.outer(unit, unit), dof


def _losses(data: CheckInput) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-fold loss of each row at several numbers of training rows."""
    assert data.target is not None
    result, rng = data.out_of_fold, data.rng(9)
    target = data.target.of_rows(result.rows)
    model, values = model_of(data.X, data.rows, data.target, data.estimator)
    values = _safe_indexing(values, result.rows)
    y = target.codes if data.estimator is None else target.values
    folds, n = np.unique(result.folds), len(result.rows)
    sizes = np.maximum(_SHARES * n * (len(folds) - 1) / len(folds), 1).astype(int)
    losses = np.empty((n, len(sizes)))
    losses[:, -1] = target.loss(result.predicted, np.arange(n))
    for k in folds:
        test = np.flatnonzero(result.folds == k)
        train = rng.permutation(np.flatnonzero(result.folds != k))
        for s, size in enumerate(sizes[:-1]):
            found = fit_and_predict(model, values, y, target, train[:size], test)
            losses[test, s] = target.loss(found, test)
    return losses, sizes
