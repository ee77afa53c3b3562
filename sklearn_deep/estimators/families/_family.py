"""Parameters shared by the families whose layers this package builds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._activations import ACTIVATIONS, activation_params


class LayeredEstimator(DeepEstimator):
    """Base class of families with an activation and dropout in their layers."""

    def _activation_params(self) -> dict[str, Any]:
        """Parameters of the activation, checked, with defaults filled in."""
        return activation_params(
            type(self).__name__, self.activation, self.activation_params
        )

    def _nonlinearity(self) -> tuple[str, float | None]:
        slope = ACTIVATIONS[self.activation].slope
        if slope is None:
            return self.activation, None
        return self.activation, float(self._activation_params()[slope])

    def _rates(self, n_layers: int, layer: str = "hidden layer") -> list[float]:
        """Dropout rates, one per layer."""
        if np.ndim(self.dropout) == 0:
            return [float(self.dropout)] * n_layers
        if len(self.dropout) != n_layers:
            raise InvalidParameterError(
                f"The 'dropout' parameter of {type(self).__name__} must be a number or"
                f" one number per {layer}, here {n_layers}. Got {self.dropout!r}"
                " instead."
            )
        return [float(rate) for rate in self.dropout]

    def _chosen(self, name: str, default: Any) -> Any:
        """Value of a parameter, with ``default`` for ``"auto"``."""
        value = getattr(self, name)
        return default if isinstance(value, str) and value == "auto" else value

    def _of_each_layer(
        self, name: str, default: Any, n_layers: int, layer: str
    ) -> list[int]:
        """One integer per layer; a single integer is repeated.

        A default sequence is truncated, or its last value repeated, to ``n_layers``.
        """
        value: Any = self._chosen(name, default)
        if isinstance(value, (int, np.integer)):
            return [int(value)] * n_layers
        sizes: Sequence[Any] = value
        if len(sizes) != n_layers:
            if value is not default:
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} must be an int or"
                    f" one int per {layer}, here {n_layers}. Got {value!r} instead."
                )
            sizes = [*sizes, *[sizes[-1]] * n_layers][:n_layers]
        return [int(size) for size in sizes]
