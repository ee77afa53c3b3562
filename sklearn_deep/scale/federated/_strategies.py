"""The table of strategies: from the owners' networks of a round to the next one.

Names, parameters and formulas are those of Flower (``flwr.serverapp.strategy``), so that
a setting found here can be used there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_deep._params import Number, Rules
from sklearn_deep.scale.federated._owner import Arrays

Slots = dict[str, Any]

_NON_NEGATIVE = (Number(low=0),)
_POSITIVE = (Number(low=0, open_low=True),)
_SHARE = (Number(low=0, high=1, open_high=True),)


@dataclass(frozen=True)
class StrategyRow:
    """A row of the table.

    Attributes
    ----------
    step : callable ``(current, mean, slots, number, **params) -> ndarray``
        New values of a parameter: from those that the owners got, the mean of what they
        sent, what was kept of earlier rounds (a dict, which it changes) and the number
        of the round, from 1.
    rules, defaults : dict
        Its parameters, given as ``strategy_params``.
    """

    step: Callable[..., np.ndarray] = lambda current, mean, slots, number, **_: mean
    rules: Rules = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


def _momentum(
    current: np.ndarray,
    mean: np.ndarray,
    slots: Slots,
    number: int,
    server_learning_rate: float,
    server_momentum: float,
) -> np.ndarray:
    if server_learning_rate == 1.0 and server_momentum == 0.0:
        return mean
    fall = current - mean
    if server_momentum:
        before = slots.get("momentum")
        fall = fall if before is None else server_momentum * before + fall
        slots["momentum"] = fall
    return current - server_learning_rate * fall


def _averages(slots: Slots, step: np.ndarray, beta_1: float) -> np.ndarray:
    first = slots.get("first", np.zeros_like(step))
    slots["first"] = beta_1 * first + (1 - beta_1) * step
    return slots["first"]


def _adam(
    current: np.ndarray,
    mean: np.ndarray,
    slots: Slots,
    number: int,
    eta: float,
    beta_1: float,
    beta_2: float,
    tau: float,
) -> np.ndarray:
    step = mean - current
    first = _averages(slots, step, beta_1)
    second = slots.get("second", np.zeros_like(step))
    slots["second"] = second = beta_2 * second + (1 - beta_2) * step**2
    # Flower counts rounds from 2 in the correction of the averages.
    corrected = (
        eta * np.sqrt(1 - beta_2 ** (number + 1.0)) / (1 - beta_1 ** (number + 1.0))
    )
    return current + corrected * first / (np.sqrt(second) + tau)


def _yogi(
    current: np.ndarray,
    mean: np.ndarray,
    slots: Slots,
    number: int,
    eta: float,
    beta_1: float,
    beta_2: float,
    tau: float,
) -> np.ndarray:
    step = mean - current
    first = _averages(slots, step, beta_1)
    second = slots.get("second", np.zeros_like(step))
    square = step**2
    slots["second"] = second - (1 - beta_2) * square * np.sign(second - square)
    return current + eta * first / (np.sqrt(slots["second"]) + tau)


def _adagrad(
    current: np.ndarray,
    mean: np.ndarray,
    slots: Slots,
    number: int,
    eta: float,
    tau: float,
) -> np.ndarray:
    step = mean - current
    slots["second"] = second = slots.get("second", np.zeros_like(step)) + step**2
    return current + eta * step / (np.sqrt(second) + tau)


_ADAPTIVE: dict[str, Any] = {
    "rules": {"eta": _POSITIVE, "beta_1": _SHARE, "beta_2": _SHARE, "tau": _POSITIVE},
}

STRATEGIES: dict[str, StrategyRow] = {
    "FedAvg": StrategyRow(),
    "FedProx": StrategyRow(
        lambda current, mean, slots, number, proximal_mu: mean,
        {"proximal_mu": _NON_NEGATIVE},
        {"proximal_mu": 0.01},
    ),
    "FedAvgM": StrategyRow(
        _momentum,
        {"server_learning_rate": _POSITIVE, "server_momentum": _SHARE},
        {"server_learning_rate": 1.0, "server_momentum": 0.9},
    ),
    "FedAdam": StrategyRow(
        _adam,
        **_ADAPTIVE,
        defaults={"eta": 0.1, "beta_1": 0.9, "beta_2": 0.99, "tau": 1e-3},
    ),
    "FedYogi": StrategyRow(
        _yogi,
        **_ADAPTIVE,
        defaults={"eta": 0.01, "beta_1": 0.9, "beta_2": 0.99, "tau": 1e-3},
    ),
    "FedAdagrad": StrategyRow(
        _adagrad,
        {"eta": _POSITIVE, "tau": _POSITIVE},
        {"eta": 0.1, "tau": 1e-3},
    ),
}


class Server:
    """The network of the server from round to round, and what it keeps between them."""

    def __init__(
        self,
        strategy: str,
        params: Mapping[str, Any],
        arrays: Arrays,
        trained: Sequence[str],
    ):
        self._step = STRATEGIES[strategy].step
        self._params, self._trained = params, frozenset(trained)
        self._slots: dict[str, Slots] = {name: {} for name in arrays}
        self.arrays: dict[str, np.ndarray] = dict(arrays)

    def take(
        self, replies: Sequence[Arrays], weights: Sequence[float], number: int
    ) -> None:
        """Go on to the network of the next round; moments are always averaged."""
        mean = weighted_mean(replies, weights)
        for name, value in mean.items():
            if name in self._trained:
                slots, before = self._slots[name], self.arrays[name]
                value = self._step(before, value, slots, number, **self._params)
            self.arrays[name] = np.asarray(value, dtype=self.arrays[name].dtype)


def weighted_mean(
    replies: Sequence[Arrays], weights: Sequence[float]
) -> dict[str, np.ndarray]:
    """Mean of arrays, in the order of the replies."""
    shares = [weight / sum(weights) for weight in weights]
    mean: dict[str, np.ndarray] = {}
    for reply, share in zip(replies, shares, strict=True):
        for name, value in reply.items():
            part = value * share
            mean[name] = part if name not in mean else mean[name] + part
    return mean
