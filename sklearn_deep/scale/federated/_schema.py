"""The form of rows that all owners have: names, types and shape, and made-up rows of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_deep.exceptions import FederatedError, MissingDependencyError


@dataclass(frozen=True)
class Schema:
    """The form of rows.

    Attributes
    ----------
    shape : list of int
        Shape of a row.
    dtypes : list of str
        NumPy's name of the type of each column of a frame, or one for an array.
    names : list or None
        Names of the columns of a frame: strings, or numbers.
    """

    shape: list[int]
    dtypes: list[str]
    names: list[Any] | None = None

    @classmethod
    def of(cls, X: Any) -> "Schema":
        """The form of some rows."""
        if not hasattr(X, "shape"):
            X = np.asarray(X)
        shape = [int(n) for n in X.shape[1:]]
        if not hasattr(X, "columns"):
            return cls(shape, [_plain(X.dtype)])
        names = np.asarray(X.columns, dtype=object).tolist()
        return cls(shape, [_plain(X[name].dtype) for name in X.columns], names)

    @classmethod
    def merged(cls, parts: Sequence["Schema"]) -> "Schema":
        """The form that the rows of all owners have.

        Raises
        ------
        FederatedError
            If they have other columns or another shape.
        """
        first = parts[0]
        for k, part in enumerate(parts):
            if (part.shape, part.names) != (first.shape, first.names):
                raise FederatedError(
                    f"Owner {k} has rows of {part.words()}, and owner 0 has rows of"
                    f" {first.words()}. All owners need the same columns, in one order."
                )
        columns = zip(*(part.dtypes for part in parts), strict=True)
        return cls(first.shape, [_joint(names) for names in columns], first.names)

    def words(self) -> str:
        """The form in words, for errors."""
        named = "" if self.names is None else f" and columns {self.names}"
        return f"shape {tuple(self.shape)}{named}"

    def rows(self, n: int) -> Any:
        """Made-up rows: zeros, and empty strings."""
        if self.names is None:
            return np.zeros((n, *self.shape), self.dtypes[0])
        blank = [np.zeros(n, t) if t != "object" else [""] * n for t in self.dtypes]
        return frame_of(self.names, blank)

    def plain(self) -> dict[str, Any]:
        """The form as lists and strings."""
        return asdict(self)


def _plain(dtype: Any) -> str:
    """NumPy's name of the type of a column; "object" for what is no number."""
    name = str(dtype).lower()  # polars writes Float64
    try:
        known = np.dtype(name)
    except TypeError:
        return "object"
    return known.name if known.kind in "biuf" else "object"


def _joint(names: Sequence[str]) -> str:
    return np.result_type(*names).name if "object" not in names else "object"


def frame_of(names: Sequence[Any], columns: Sequence[Any]) -> Any:
    """A DataFrame of columns."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError(
            "Frames of many owners", "pandas", "federated"
        ) from error
    return pd.DataFrame(dict(zip(names, columns, strict=True)))
