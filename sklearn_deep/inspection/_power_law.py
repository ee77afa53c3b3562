"""Learning curves as power laws, ``error(n) = floor + excess * (n / n_last) ** -rate``.

Curves of networks follow the law over orders of magnitude (Hestness et al.,
arXiv:1712.00409). Few sizes determine three numbers badly, so that an extrapolation needs
an interval: the posterior of ``rate`` and ``floor`` is computed on a grid, and that of
``excess`` in closed form, a Student distribution on the positive half line. Nothing is
drawn, and equal curves give equal intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr
from scipy.stats import norm

# Exponents of learning curves that were published lie between 0.07 and 1; their prior is
# uniform in the logarithm.
RATES = (0.05, 2.0)
_N_RATES, _N_FLOORS = 30, 24

# The grid of rates is laid anew over the probable ones, so that precise curves have points
# between theirs too.
_N_REFINEMENTS, _IMPROBABLE = 3, 1e-6

# The floor lies at most so many standard errors above the largest error.
_FAR = 4.0

# Floors of a rate reach so many standard deviations from its best one.
_REACH = 6.0

# With so many degrees of freedom a covariance is as good as known.
_KNOWN = 1e6

# Scales of a Student distribution beyond which nothing of it counts.
_TAIL = 60.0

_TINY = 1e-290


@dataclass(frozen=True)
class _Mixture:
    """Distribution of ``shift + scale * excess`` over the grid.

    Attributes
    ----------
    weight, shift, scale : ndarray of shape (n_points,)
    law : PowerLaw
    """

    weight: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    law: "PowerLaw"

    def below(self, value: float) -> float:
        """Probability of at most ``value``."""
        law, scale = self.law, np.maximum(self.scale, _TINY)
        place = ((value - self.shift) / scale - law.excess) / law.spread
        # Upper tails: a curve that rises has next to nothing above an excess of zero.
        positive = stdtr(law.dof, law.excess / law.spread)
        above = stdtr(law.dof, -place) / np.maximum(positive, _TINY)
        within = np.where(positive > _TINY, 1.0 - above, value >= self.shift)
        return float(self.weight @ np.clip(within, 0.0, 1.0))

    def quantile(self, probability: float) -> float:
        """Value with that probability below it."""
        reach = self.law.largest_excess() * self.scale
        low, high = float(self.shift.min()), float((self.shift + reach).max())
        if self.below(high) <= probability:
            return high
        if self.below(low) >= probability:
            return low
        precision = max(1e-7 * (high - low), _TINY)
        return float(
            brentq(lambda v: self.below(v) - probability, low, high, xtol=precision)
        )


@dataclass(frozen=True)
class PowerLaw:
    """A fitted learning curve, with what is uncertain about it.

    Made by :func:`fit_power_law`.

    Attributes
    ----------
    last : float
        Largest number of rows that the fit saw.
    weight : ndarray of shape (n_points,)
        Posterior probability of each point of the grid.
    rate, floor : ndarray of shape (n_points,)
        Exponent and limit of the error at each point.
    excess, spread : ndarray of shape (n_points,)
        Centre and scale of the Student distribution of what the error exceeds the floor by
        at ``last`` rows.
    dof : float
        Its degrees of freedom.
    """

    last: float
    weight: np.ndarray
    rate: np.ndarray
    floor: np.ndarray
    excess: np.ndarray
    spread: np.ndarray
    dof: float

    def predict(self, n_rows: float) -> float:
        """Median of the expected error at a number of rows."""
        return self._error(n_rows).quantile(0.5)

    def interval(
        self, n_rows: float, level: float = 0.9, noise: float = 0.0
    ) -> tuple[float, float]:
        """Interval that holds the error at ``n_rows`` with probability ``level``.

        It is the expected error; with ``noise``, the standard deviation of the error of
        single networks around it, that of one network.
        """
        error = self._error(n_rows)
        low, high = _central(error, level)
        if not noise:
            return low, high
        middle = error.quantile(0.5)
        reach = noise * float(norm.ppf((1.0 + level) / 2))
        below, above = np.hypot(middle - low, reach), np.hypot(high - middle, reach)
        return float(middle - below), float(middle + above)

    def gain(
        self, before: float, after: float, level: float = 0.9
    ) -> tuple[float, float, float]:
        """By how much the error falls between two numbers of rows.

        Noise that all sizes share, such as that of the test rows, cancels.

        Returns
        -------
        median, low, high : float
            Of the fall of the expected error, and its interval.
        """
        gain = self._fall(before, after)
        return (gain.quantile(0.5), *_central(gain, level))

    def probability_of_gain(
        self, before: float, after: float, at_least: float
    ) -> float:
        """Probability that the error falls by ``at_least`` between two numbers of rows."""
        return 1.0 - self._fall(before, after).below(at_least)

    def largest_excess(self) -> np.ndarray:
        """Excess at each point that is exceeded with a negligible probability."""
        return np.maximum(self.excess, 0.0) + _TAIL * self.spread

    def _scale(self, n_rows: float) -> np.ndarray:
        return (n_rows / self.last) ** -self.rate

    def _error(self, n_rows: float) -> _Mixture:
        return _Mixture(self.weight, self.floor, self._scale(n_rows), self)

    def _fall(self, before: float, after: float) -> _Mixture:
        scale = self._scale(before) - self._scale(after)
        return _Mixture(self.weight, np.zeros_like(scale), scale, self)


def _central(mixture: _Mixture, level: float) -> tuple[float, float]:
    tail = (1.0 - level) / 2
    return mixture.quantile(tail), mixture.quantile(1.0 - tail)


def fit_power_law(
    sizes: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray,
    covariance: np.ndarray,
    *,
    dof: float = np.inf,
    lowest: float = 0.0,
) -> PowerLaw:
    """Fit a power law to the mean errors of several training sizes.

    Parameters
    ----------
    sizes : array-like of shape (n_sizes,)
        Numbers of training rows, at least 3 different ones.
    errors : array-like of shape (n_sizes,)
        Mean error at each size; lower is better.
    covariance : array-like of shape (n_sizes, n_sizes) or (n_sizes,)
        Of the mean errors; their variances where they are independent.
        :func:`curve_of_folds` makes all three of the errors of each fold.
    dof : float, default=inf
        Degrees of freedom that the covariance was estimated with: few make the interval
        wider, and let the residuals of the fit correct the scale of the noise.
    lowest : float, default=0
        Lower bound of errors at any number of rows.

    Returns
    -------
    law : PowerLaw

    Raises
    ------
    ValueError
        For fewer than 3 sizes, or values that are not finite.

    References
    ----------
    .. [1] Hestness et al., Deep Learning Scaling is Predictable, Empirically (2017),
       arXiv:1712.00409.
    """
    sizes, errors, covariance = _checked(sizes, errors, covariance)
    curve = _Curve(sizes, errors, covariance, dof, lowest)
    rates = np.geomspace(*RATES, _N_RATES)
    law = curve.posterior(rates)
    for _ in range(_N_REFINEMENTS):
        rates = _probable(rates, law.weight.reshape(_N_RATES, -1).sum(1))
        law = curve.posterior(rates)
    return law


def _probable(rates: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """As many rates over the part of the grid that is not improbable."""
    places = np.flatnonzero(weight > _IMPROBABLE * weight.max())
    first, last = max(places[0] - 1, 0), min(places[-1] + 1, len(rates) - 1)
    return np.geomspace(rates[first], rates[last], len(rates))


@dataclass(frozen=True)
class _Curve:
    """What was measured, and the posterior of the law given it."""

    sizes: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    dof: float
    lowest: float

    def posterior(self, rates: np.ndarray) -> PowerLaw:
        """Law over a grid of rates, each with floors of its own."""
        errors, inverse = self.errors, np.linalg.inv(self.covariance)
        noise = float(np.sqrt(np.diag(self.covariance).min()))
        highest = max(float(errors.max()) + _FAR * noise, self.lowest + noise)
        x = (self.sizes / self.sizes.max()) ** -rates[:, None]  # (rate, size)
        floors, width = _floors(x, errors, inverse, self.lowest, highest)
        rest = errors - floors[..., None]  # (rate, floor, size)
        xx = np.einsum("rs,st,rt->r", x, inverse, x)[:, None]
        xy = np.einsum("rs,st,rft->rf", x, inverse, rest)
        chi2 = np.einsum("rfs,st,rft->rf", rest, inverse, rest) - xy**2 / xx
        return self._integrated(rates, floors, width, xy / xx, xx, chi2.clip(0.0))

    def _integrated(
        self,
        rates: np.ndarray,
        floors: np.ndarray,
        width: np.ndarray,
        excess: np.ndarray,
        xx: np.ndarray,
        chi2: np.ndarray,
    ) -> PowerLaw:
        """Integrate the excess and the scale of the noise out, at each point."""
        known = min(self.dof, _KNOWN)
        dof = known + len(self.sizes) - 1
        spread = np.sqrt((known + chi2) / dof / xx)
        positive = stdtr(dof, excess / spread)
        log_weight = -dof / 2 * np.log1p(chi2 / known) - np.log(xx) / 2
        log_weight += np.log(np.maximum(positive * width, _TINY))
        weight = np.exp(log_weight - log_weight.max())
        rate = np.broadcast_to(rates[:, None], floors.shape)
        return PowerLaw(
            last=float(self.sizes.max()),
            weight=np.ravel(weight / weight.sum()),
            rate=np.ravel(rate),
            floor=floors.ravel(),
            excess=excess.ravel(),
            spread=spread.ravel(),
            dof=dof,
        )


def _floors(
    x: np.ndarray,
    errors: np.ndarray,
    inverse: np.ndarray,
    lowest: float,
    highest: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Floors near the best one of each rate, and the distance between them.

    Rate and floor depend on one another so closely that one grid of floors for all rates
    would pass between the probable ones.
    """
    ones = np.ones_like(errors)
    xx, x1 = np.einsum("rs,st,rt->r", x, inverse, x), x @ inverse @ ones
    free = ones @ inverse @ ones - x1**2 / xx
    best = (ones @ inverse @ errors - x1 * (x @ inverse @ errors) / xx) / free
    reach = _REACH / np.sqrt(free)
    low = np.clip(best - reach, lowest, highest)
    high = np.clip(best + reach, lowest, highest)
    # The best floor of a rate may lie out of bounds: its nearest one is the edge.
    low = np.where(high <= low, np.maximum(low - reach, lowest), low)
    high = np.where(high <= low, np.minimum(low + reach, highest), high)
    middles = (np.arange(_N_FLOORS) + 0.5) / _N_FLOORS
    return low[:, None] + (high - low)[:, None] * middles, (high - low)[:, None]


def _checked(
    sizes: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray,
    covariance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes, errors = np.asarray(sizes, float), np.asarray(errors, float)
    covariance = np.asarray(covariance, float)
    if covariance.ndim == 1:
        covariance = np.diag(covariance)
    if len(np.unique(sizes)) < 3 or sizes.min() <= 0:
        raise ValueError(
            "A power law needs errors at 3 or more positive numbers of rows; got"
            f" {sizes.tolist()}."
        )
    if errors.shape != sizes.shape or covariance.shape != (len(sizes),) * 2:
        raise ValueError(
            f"A power law needs an error and a variance per size; got {len(sizes)} sizes,"
            f" errors of shape {errors.shape} and a covariance of {covariance.shape}."
        )
    if not (np.isfinite(errors).all() and np.isfinite(covariance).all()):
        raise ValueError(f"A power law needs finite errors; got {errors.tolist()}.")
    # Errors without any noise, as those of a perfect classifier, have no inverse.
    tiny = (1e-6 * max(float(np.abs(errors).max()), 1e-12)) ** 2
    return sizes, errors, covariance + tiny * np.eye(len(sizes))


def curve_of_folds(
    errors: np.ndarray, *, shared_rows: float = 0.0
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean errors of a learning curve that was measured on several folds.

    A fold's test rows are the same at every size, and a hard fold is hard at all of them:
    ``error[fold, size] = curve[size] + fold effect + noise``.

    Parameters
    ----------
    errors : ndarray of shape (n_folds, n_sizes)
        At least 2 folds.
    shared_rows : float, default=0
        Test rows per training row of a split. Folds that share training rows vary less than
        independent data would: variances grow by 1 + n_folds * shared_rows (Nadeau and
        Bengio, 2003).

    Returns
    -------
    mean : ndarray of shape (n_sizes,)
    covariance : ndarray of shape (n_sizes, n_sizes)
        Of the means.
    dof : float
        Degrees of freedom of the estimate.
    """
    errors = np.asarray(errors, float)
    n_folds, n_sizes = errors.shape
    if n_folds < 2:
        raise ValueError("A covariance of errors needs 2 or more folds; got one.")
    mean = errors.mean(0)
    residual = errors - mean
    fold = residual.mean(1)
    noise = ((residual - fold[:, None]) ** 2).sum() / ((n_folds - 1) * (n_sizes - 1))
    shared = max(float(fold @ fold) / (n_folds - 1) - noise / n_sizes, 0.0)
    inflation = 1.0 + n_folds * shared_rows
    covariance = (noise * np.eye(n_sizes) + shared) * inflation / n_folds
    return mean, covariance, float((n_folds - 1) * (n_sizes - 1))
