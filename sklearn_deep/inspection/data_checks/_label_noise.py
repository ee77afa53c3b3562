"""Labels that contradict the others, by confident learning, and a test for their floor.

Confident learning (Northcutt et al., arXiv:1911.00068) names the rows: those that a model
of other rows gives another class with at least the mean confidence of that class. It names
rows in clean data too, where classes overlap. What tells wrong labels from overlap is a
*floor*: labels that were exchanged at random are wrong where the model is surest as often as
elsewhere, while overlap fades as the margin grows. So the share of rows that contradict
the model is fitted over the margin with and without a floor, and the floor is tested by
the ratio of their likelihoods.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

_TINY = 1e-9


@dataclass(frozen=True)
class Floor:
    """Share of labels that no margin explains.

    Attributes
    ----------
    rate : float
    p_value : float
    wrong : ndarray of shape (n_rows,)
        Probability that the label of a row is wrong, given that it contradicts the model.
    """

    rate: float
    p_value: float
    wrong: np.ndarray


def suspects(predicted: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Rows that confident learning puts off the diagonal: a mask."""
    n_classes = predicted.shape[1]
    confident = np.array(
        [
            predicted[codes == k, k].mean() if (codes == k).any() else 1.0
            for k in range(n_classes)
        ]
    )
    above = np.where(predicted >= confident, predicted, -1.0)
    best = above.argmax(1)
    return (above.max(1) >= 0) & (best != codes)


def margins(predicted: np.ndarray) -> np.ndarray:
    """Log odds of the two most probable classes."""
    top = np.sort(predicted, axis=1)[:, -2:]
    return np.log((top[:, 1] + 1e-4) / (top[:, 0] + 1e-4))


def fit_floor(margin: np.ndarray, apart: np.ndarray) -> Floor:
    """Fit the share of contradictions over the margin, with a floor and without."""
    s = (margin - margin.mean()) / max(float(margin.std()), _TINY)
    bend = np.maximum(s - np.median(s), 0.0)
    design = np.stack([np.ones_like(s), s, bend], axis=1)
    plain, start = _fit(design, apart, with_floor=False, start=None)
    floored, weights = _fit(design, apart, with_floor=True, start=start)
    ratio = max(2 * (plain - floored), 0.0)
    rate = float(expit(weights[-1]))
    # The floor is at its bound without one: half of the statistics are 0.
    p_value = 0.5 * float(chi2.sf(ratio, 1)) if ratio > 0 else 1.0
    overlap = expit(design @ weights[:-1])
    wrong = rate / np.maximum(rate + (1 - rate) * overlap, _TINY)
    return Floor(rate, p_value, wrong)


def _fit(
    design: np.ndarray, apart: np.ndarray, with_floor: bool, start: np.ndarray | None
) -> tuple[float, np.ndarray]:
    """Smallest negative log likelihood, and its coefficients; the floor's logit is last."""

    def cost(weights: np.ndarray) -> float:
        chance = expit(design @ weights[: design.shape[1]])
        if with_floor:
            rate = expit(weights[-1])
            chance = rate + (1 - rate) * chance
        chance = np.clip(chance, _TINY, 1 - _TINY)
        return -float(np.log(np.where(apart, chance, 1 - chance)).sum())

    base = np.array([-2.0, -1.0, 0.0]) if start is None else start
    starts = (
        [np.append(base, logit) for logit in (-6.0, -3.0)] if with_floor else [base]
    )
    n = design.shape[1]
    # Contradictions become fewer with the margin, not more.
    bounds = [(-20.0, 20.0), (-20.0, 0.0), (-20.0, 0.0)] + [(-14.0, 2.0)] * with_floor
    fits = [minimize(cost, x0, method="L-BFGS-B", bounds=bounds) for x0 in starts]
    best = min(fits, key=lambda fit: fit.fun)
    assert len(best.x) == n + with_floor
    return float(best.fun), best.x
