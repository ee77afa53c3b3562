"""What stands in front of a network for tables: imputers and scalers of scikit-learn."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from sklearn_deep.transfer.conversion._elementwise import FLOATING_TYPES
from sklearn_deep.transfer.conversion._graph import Step, uses_of

# x * factor + offset, per column.
_Affine = tuple[np.ndarray, np.ndarray]


class Head:
    """Transformers in front of a network, read from the rows on.

    Attributes
    ----------
    transformers : list
        Fitted.
    name : str
        The value behind them.
    """

    def __init__(self, steps: Sequence[Step], arrays: Mapping[str, np.ndarray]):
        self.arrays, self._uses = arrays, uses_of(steps)
        self.transformers: list[Any] = []
        self._affine: _Affine | None = None
        self._width = 0

    def read(self, name: str, width: int) -> str:
        """Read the steps behind the rows; gives the value that the network begins at."""
        self._width = width
        while found := self._one(name):
            name = found
        self._finish()
        return name

    @property
    def like(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and spread of the columns, where they are scaled."""
        for part in self.transformers:
            if isinstance(part, StandardScaler):
                return part.mean_, part.scale_
        return None

    def _one(self, name: str) -> str:
        uses = self._uses.get(name, [])
        if len(uses) == 2:
            return self._imputed(name, [step for step, _ in uses])
        if len(uses) != 1:
            return ""
        step, place = uses[0]
        if step.op == "Cast":
            return step.outputs[0] if step.attributes["to"] in FLOATING_TYPES else ""
        rule = _RULES.get(step.op)
        return step.outputs[0] if rule and rule(self, step, place) else ""

    def column_values(self, array: Any) -> np.ndarray | None:
        """One number per column, from an array of the file."""
        if array is None:
            return None
        flat = np.asarray(array, np.float64).reshape(-1)
        if flat.size not in (1, self._width) or np.shape(array)[-1:] not in (
            (),
            (flat.size,),
        ):
            return None
        return np.broadcast_to(flat, (self._width,)).copy()

    def scale(self, factor: Any, offset: Any) -> bool:
        """Add x * factor + offset to the scaling."""
        columns = self.column_values(factor), self.column_values(offset)
        if columns[0] is None or columns[1] is None or (columns[0] == 0).any():
            return False
        before = self._affine or (np.ones(self._width), np.zeros(self._width))
        self._affine = before[0] * columns[0], before[1] * columns[0] + columns[1]
        return True

    def add(self, transformer: Any) -> None:
        """Add a transformer behind those there are."""
        self._finish()
        self.transformers.append(transformer)

    def impute(self, values: Any) -> bool:
        """Add an imputer with these values."""
        columns = self.column_values(values)
        if columns is None or np.isnan(columns).any():
            return False
        self.add(SimpleImputer(keep_empty_features=True).fit(columns[None]))
        return True

    def _imputed(self, name: str, steps: list[Step]) -> str:
        """Where(IsNaN(x), values, x), as exports of this package impute."""
        marks = [s for s in steps if s.op == "IsNaN"]
        chosen = [s for s in steps if s.op == "Where"]
        if not (marks and chosen) or chosen[0].inputs[0] != marks[0].outputs[0]:
            return ""
        _, values, rest = chosen[0].inputs
        fits = rest == name and self.impute(self.arrays.get(values))
        return chosen[0].outputs[0] if fits else ""

    def _finish(self) -> None:
        """Make a scaler of the products and sums so far."""
        if self._affine is None:
            return
        factor, offset = self._affine
        mean, spread = -offset / factor, 1 / factor
        scaler = StandardScaler().fit(np.stack([mean - spread, mean + spread]))
        scaler.mean_, scaler.scale_, scaler.var_ = mean, spread, spread**2
        self.transformers.append(scaler)
        self._affine = None


def _by_array(
    parts: Callable[[np.ndarray], tuple[Any, Any]], *, either_side: bool
) -> Callable[[Head, Step, int], bool]:
    """An operation with an array of the file."""

    def rule(head: Head, step: Step, place: int) -> bool:
        array = head.arrays.get(step.inputs[1 - place])
        if array is None or array.dtype.kind != "f" or not (either_side or place == 0):
            return False
        with np.errstate(divide="ignore"):
            return head.scale(*parts(array.astype(np.float64)))

    return rule


def _scaler(head: Head, step: Step, place: int) -> bool:
    offset = np.array(step.attributes.get("offset") or [0.0])
    factor = np.array(step.attributes.get("scale") or [1.0])
    return head.scale(factor, -offset * factor)


def _imputer(head: Head, step: Step, place: int) -> bool:
    missing = step.attributes.get("replaced_value_float", 0.0)
    values = step.attributes.get("imputed_value_floats")
    return bool(np.isnan(missing)) and values is not None and head.impute(values)


_RULES: dict[str, Callable[[Head, Step, int], bool]] = {
    "Add": _by_array(lambda a: (1.0, a), either_side=True),
    "Div": _by_array(lambda a: (1 / a, 0.0), either_side=False),
    "Imputer": _imputer,
    "Mul": _by_array(lambda a: (a, 0.0), either_side=True),
    "Scaler": _scaler,
    "Sub": _by_array(lambda a: (1.0, -a), either_side=False),
}
