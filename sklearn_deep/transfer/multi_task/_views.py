"""Networks made of one network over all tasks: its outputs, and the part of one task."""

import dataclasses
import re
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from sklearn_deep.data._targets import RealTargets
from sklearn_deep.estimators.core._fitted import Fitted, fitted_of, with_fitted
from sklearn_deep.estimators.core._networks import without_values
from sklearn_deep.estimators.core._state import fill_module
from sklearn_deep.estimators.tasks._several import SeveralTargets, TaskPart
from sklearn_deep.nn._losses import Loss
from sklearn_deep.transfer.multi_task._families import class_for, converted


class Heads(NamedTuple):
    """Hidden layers whose units belong to one task each.

    Attributes
    ----------
    sizes : tuple of int
        Units of each layer, per task.
    n_tasks : int
    """

    sizes: tuple[int, ...]
    n_tasks: int


def raw_regressor(network: Any, fitted: Fitted) -> Any:
    """A regressor that predicts the raw outputs of all tasks.

    Parameters
    ----------
    network : DeepEstimator
        With the parameters of the training.
    fitted : Fitted
        What it came to, with several targets.
    """
    targets: SeveralTargets = fitted.targets
    n = targets.n_predicted
    loss = Loss.make(type(network).__name__, "squared_error", "real", None)
    numbers = RealTargets(np.zeros(n), np.ones(n), False, fitted.dtype.name, "standard")
    cls = class_for(network, classification=False)
    fresh = converted(network, cls, loss=loss.name, loss_params=None)
    return _with_outputs(fresh, fitted, slice(0, n), targets=numbers, loss=loss)


def view(
    network: Any, part: TaskPart, raw: slice, settings: Any, heads: Heads, place: int
) -> Any:
    """The estimator of one task, with a copy of the layers that it uses.

    Parameters
    ----------
    network : DeepRegressor
        Of the raw outputs of all tasks.
    part : TaskPart
    raw : slice
        Its raw outputs.
    settings : dict
        Parameters of its loss.
    heads : Heads
    place : int
        Which task it is, among those that have units in ``heads``.
    """
    params = dict(settings)
    fitted = fitted_of(network)
    changes: dict[str, Any] = {"targets": part.targets, "loss": part.loss}
    keep = None
    if heads.sizes:
        keep = _Own(heads, place, len(fitted.architecture["hidden_layer_sizes"]))
        sizes = keep.widths(fitted.architecture["hidden_layer_sizes"])
        params["hidden_layer_sizes"] = tuple(sizes)
        changes["architecture"] = {**fitted.architecture, "hidden_layer_sizes": sizes}
    cls = class_for(network, part.is_classifier)
    return _with_outputs(
        converted(network, cls, **params), fitted, raw, keep, **changes
    )


class _Own(NamedTuple):
    """Units of one task in the hidden layers.

    Attributes
    ----------
    heads : Heads
    place : int
        Which task it is.
    n_layers : int
        Number of hidden layers, those of the heads included.
    """

    heads: Heads
    place: int
    n_layers: int

    def widths(self, sizes: list[int]) -> list[int]:
        """Units of each layer with those of one task only."""
        return [*sizes[: self._first], *self.heads.sizes]

    @property
    def _first(self) -> int:
        return self.n_layers - len(self.heads.sizes)

    def _units(self, layer: int) -> slice:
        """Units of the task in a hidden layer; all of a shared one."""
        if layer < self._first:
            return slice(None)
        size = self.heads.sizes[layer - self._first]
        return slice(self.place * size, (self.place + 1) * size)

    def of(self, layer: int, value: Tensor) -> Tensor:
        """The part of a parameter or buffer of a hidden layer, or of the output layer."""
        if value.ndim == 2:
            value = value[:, self._units(layer - 1)] if layer else value
        if layer == self.n_layers or value.ndim == 0 or len(value) == 1:
            return value  # a number of all units, as the slope of a PReLU
        return value[self._units(layer)]


_OUTPUT = re.compile(r"(networks\.\d+\.)?output\.(weight|bias)")
_HIDDEN = re.compile(r"(?:networks\.\d+\.)?hidden\.(\d+)\.")


def _with_outputs(
    estimator: Any, fitted: Fitted, raw: slice, own: _Own | None = None, **changes: Any
) -> Any:
    """An estimator with some raw outputs of a network, and the layers behind them."""
    values = {}
    for name, value in fitted.module.state_dict().items():
        hidden, output = _HIDDEN.match(name), _OUTPUT.fullmatch(name)
        if own is not None and (hidden or output):
            value = own.of(int(hidden[1]) if hidden else own.n_layers, value)
        values[name] = value[raw] if output else value
    n_raw = raw.stop - raw.start
    architecture = changes.pop("architecture", fitted.architecture)
    settings = fitted.net_settings
    changes |= {
        "architecture": {**architecture, "n_outputs": n_raw},
        "net_settings": settings and dataclasses.replace(settings, n_outputs=n_raw),
        "weight_mask": None,
        "importances": None,
        "net": None,
    }
    fitted = dataclasses.replace(fitted, **changes)
    module = fill_module(without_values(type(estimator)._network, fitted), values)
    module.to(next(iter(values.values())).device)
    return with_fitted(estimator, dataclasses.replace(fitted, module=module))
