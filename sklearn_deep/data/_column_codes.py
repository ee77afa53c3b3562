"""Categories of a column, learnt from the training rows, and their codes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_deep.data._column_kinds import BOOLEAN, NUMBER, kind_of
from sklearn_deep.data._missing import is_missing

# The code of missing values, and of those that no training row has.
UNKNOWN = 0


@dataclass(frozen=True)
class Categories:
    """Values of a column, with codes from 1 on.

    Attributes
    ----------
    values : tuple
        Sorted, and where they are of several types by type.
    """

    values: tuple[Any, ...]

    @classmethod
    def learn(cls, codes: np.ndarray, distinct: Sequence[Any]) -> "Categories":
        """Take those of the distinct values that occur among the codes."""
        seen = np.zeros(len(distinct) + 1, bool)
        seen[codes] = True  # the last one is that of -1, for missing values
        return cls(
            tuple(_sorted([distinct[i] for i in np.flatnonzero(seen[:-1]).tolist()]))
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_codes(self) -> int:
        """Number of codes, 0 among them."""
        return len(self.values) + 1

    @cached_property
    def _code_of(self) -> dict[Any, int]:
        return {value: code for code, value in enumerate(self.values, 1)}

    @cached_property
    def kind(self) -> str | None:
        """What the values are: text, numbers, times; None where they are mixed."""
        kinds = set(map(_kind, self.values))
        return kinds.pop() if len(kinds) == 1 else None

    def lookup(self, distinct: Sequence[Any]) -> list[int]:
        """Give the code of each value, and 0 behind them, which -1 is the place of.

        Raises
        ------
        ValueError
            For an unknown value of another kind than all that are known.
        """
        get = self._code_of.get
        codes = [get(value, UNKNOWN) for value in distinct]
        if UNKNOWN in codes and self.kind is not None:
            self._refuse_other_kinds(distinct)
        codes.append(UNKNOWN)
        return codes

    def _refuse_other_kinds(self, distinct: Sequence[Any]) -> None:
        for value in distinct:
            if value in self._code_of or is_missing(value):
                continue
            if _kind(value) != self.kind:
                raise ValueError(
                    f"it holds {_plain(value)!r} ({_kind(value)}), and held {self.kind}"
                    f" in fit, such as {self.values[0]!r}"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return NUMBER if kind == BOOLEAN else kind  # 1 and True are one value


def _plain(value: Any) -> Any:
    """Python's own in place of a scalar of NumPy."""
    return value.item() if isinstance(value, np.generic) else value


def _sorted(values: list[Any]) -> list[Any]:
    plain = list(map(_plain, values))
    try:
        return sorted(plain)
    except TypeError:
        return sorted(plain, key=lambda v: (_kind(v), type(v).__name__, str(v)))
