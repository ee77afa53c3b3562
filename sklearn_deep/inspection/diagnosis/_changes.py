"""Changes of a network's parameters that a diagnosis tries: one row a change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._specs import n_epochs, validation_share
from sklearn_deep.inspection.capacity._sizes import scaled_widths
from sklearn_deep.training.job._optimizers import OPTIMIZERS

# Networks are widened twofold, and to so many units at least.
_ENOUGH = 64
_FIRST_LAYER = (64,)
_RATE = 5.0
_MORE_EPOCHS = 2
_DROPOUT, _MOST_DROPOUT = 0.25, 0.6
_DECAY, _MOST_DECAY = 5.0, 2.0


@dataclass(frozen=True)
class Change:
    """One change of parameters.

    Attributes
    ----------
    name : str
        Key of ``CHANGES``.
    remedy : {"regularise", "enlarge", "train longer", "rate down", "rate up"}
        What it is against.
    params, before : dict of str to value
        New values, by the names that the whole estimator has for them; and the old ones.
    """

    name: str
    remedy: str
    params: dict[str, Any]
    before: dict[str, Any]

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {_short(self.before[name])} -> {_short(value)}"
            for name, value in self.params.items()
        )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else repr(value)


@dataclass(frozen=True)
class Present:
    """A network as it is: what a change starts from."""

    network: DeepEstimator
    architecture: Mapping[str, Any]
    n_rows: int
    n_classes: int

    def value(self, name: str) -> Any:
        """A parameter with "auto" resolved; None where there is none of this name."""
        value = self.network.get_params(deep=False).get(name)
        if name == "max_epochs":
            return n_epochs(self.network, self.n_rows)
        if name == "weight_decay" and value == "auto":
            return OPTIMIZERS[self.network.optimizer].weight_decay
        return value


def _more_dropout(now: Present) -> dict[str, Any]:
    dropout = now.value("dropout")
    if dropout is None or np.max(dropout) >= _MOST_DROPOUT or not _has_units(now):
        return {}
    return {"dropout": float(min(np.max(dropout) + _DROPOUT, _MOST_DROPOUT))}


def _has_units(now: Present) -> bool:
    return bool(np.sum(now.architecture.get("hidden_layer_sizes", 1)))


def _more_decay(now: Present) -> dict[str, Any]:
    decay = now.value("weight_decay")
    if now.network.optimizer != "adamw" or decay >= _MOST_DECAY:
        return {}
    return {"weight_decay": min(max(decay, 0.02) * _DECAY, _MOST_DECAY)}


def _narrower(now: Present) -> dict[str, Any]:
    return scaled_widths(now.network, now.architecture, 0.25)


def _early_stopping(now: Present) -> dict[str, Any]:
    strata = np.arange(now.n_rows) % now.n_classes if now.n_classes else None
    if validation_share(now.network, now.n_rows, strata) is not None:
        return {}
    return {"early_stopping": True}


def _wider(now: Present) -> dict[str, Any]:
    widths = scaled_widths(now.network, now.architecture, 1.0)
    n_units = sum(int(np.sum(width)) for width in widths.values())
    if not n_units:
        known = "hidden_layer_sizes" in now.network.get_params(deep=False)
        return {"hidden_layer_sizes": _FIRST_LAYER} if known else {}
    factor = max(2.0, _ENOUGH / n_units)
    return scaled_widths(now.network, now.architecture, factor)


def _less_regularised(now: Present) -> dict[str, Any]:
    nothing = {"dropout": 0.0, "weight_decay": 0.0, "l1": 0.0, "l2": 0.0}
    return {name: v for name, v in nothing.items() if np.any(now.value(name))}


def _longer(now: Present) -> dict[str, Any]:
    longer = {"max_epochs": _MORE_EPOCHS * now.value("max_epochs")}
    patience = now.value("n_iter_no_change")
    if isinstance(patience, int):
        longer["n_iter_no_change"] = _MORE_EPOCHS * patience
    return longer


def _rate(factor: float) -> Callable[[Present], dict[str, Any]]:
    def change(now: Present) -> dict[str, Any]:
        rate = now.value("learning_rate")
        if rate == "auto" or now.network.optimizer == "lbfgs":
            return {}
        return {"learning_rate": float(rate * factor)}

    return change


# Name: what it is against, and the new values; none where it does not apply.
CHANGES: dict[str, tuple[str, Callable[[Present], dict[str, Any]]]] = {
    "more dropout": ("regularise", _more_dropout),
    "more weight decay": ("regularise", _more_decay),
    "narrower layers": ("regularise", _narrower),
    "early stopping": ("regularise", _early_stopping),
    "wider layers": ("enlarge", _wider),
    "less regularisation": ("enlarge", _less_regularised),
    "more epochs": ("train longer", _longer),
    "lower learning rate": ("rate down", _rate(1 / _RATE)),
    "higher learning rate": ("rate up", _rate(_RATE)),
}


def changes_of(now: Present, prefix: str) -> list[Change]:
    """The changes that apply to a network whose parameters have this prefix."""
    found = []
    for name, (remedy, make) in CHANGES.items():
        params = make(now)
        before = {key: _before(now, key) for key in params}
        if params and params != before:
            found.append(
                Change(name, remedy, _named(prefix, params), _named(prefix, before))
            )
    return found


def _before(now: Present, name: str) -> Any:
    value = now.value(name)
    return now.architecture.get(name, value) if isinstance(value, str) else value


def _named(prefix: str, params: dict[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in params.items()}
