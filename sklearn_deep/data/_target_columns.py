"""The columns of y in a frame, dict or array: their values, read and written back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing

# Names of the dtypes in which predicted numbers are given back; others become float64.
_FLOATS = {"float16", "float32", "float64", "Float32", "Float64"}


@dataclass(frozen=True)
class TargetColumn:
    """A column of y as it was given.

    Attributes
    ----------
    name : str or int
        Its name; of an array, its number.
    values : ndarray of shape (n_samples,)
        Its values, of a dtype of NumPy.
    known : ndarray of bool of shape (n_samples,)
        Where there is one: not None, NaN, NaT or pandas.NA.
    dtype : str
        Name of the dtype in its library.
    categories : tuple or None
        Of a categorical column.
    ordered : bool
        Whether they are in an order.
    """

    name: Any
    values: np.ndarray
    known: np.ndarray
    dtype: str
    categories: tuple | None = None
    ordered: bool = False

    @property
    def known_values(self) -> np.ndarray:
        """The values that there are, in the dtype that holds them best."""
        values = self.values[self.known]
        return values if values.dtype != object else _narrow(values)


def target_columns(y: Any, owner: str, name: str = "y") -> tuple[str, list]:
    """The columns of y, and the kind of container: a key of ``WRITERS``.

    Raises
    ------
    ValueError
        For other shapes, and for columns of unequal length.
    """
    if hasattr(y, "iloc"):
        if y.ndim == 1:
            return "flat", [_of_pandas(0, y)]
        return "pandas", [_of_pandas(c, y.iloc[:, i]) for i, c in enumerate(y.columns)]
    if hasattr(y, "get_columns"):
        return "polars", [_of_polars(column.name, column) for column in y.get_columns()]
    if isinstance(y, Mapping):
        return "dict", _of_equal_length(owner, name, y)
    values = _array(y)
    if values.ndim == 1:
        return "flat", [_of_array(0, values)]
    if values.ndim != 2:
        raise ValueError(
            f"{name} of {owner} must be a frame, a dict of columns, or an array of shape"
            f" (n_samples,) or (n_samples, n_tasks); got shape {values.shape}."
        )
    return "array", [_of_array(k, values[:, k]) for k in range(values.shape[1])]


def _of_equal_length(owner: str, name: str, y: Mapping) -> list[TargetColumn]:
    columns = [_of_any(key, value) for key, value in y.items()]
    lengths = {column.name: len(column.values) for column in columns}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{name} of {owner} must have columns of one length; got {lengths}."
        )
    return columns


def _of_any(name: Any, values: Any) -> TargetColumn:
    if hasattr(values, "iloc"):
        return _of_pandas(name, values)
    if hasattr(values, "is_null"):
        return _of_polars(name, values)
    return _of_array(name, _array(values))


def _of_pandas(name: Any, column: Any) -> TargetColumn:
    dtype, known = column.dtype, ~np.asarray(column.isna(), bool)
    categories = getattr(dtype, "categories", None)
    values = column.to_numpy() if _is_numpy(dtype) else column.to_numpy(dtype=object)
    return TargetColumn(
        name,
        values,
        known,
        str(dtype),
        None if categories is None else tuple(categories.tolist()),
        bool(getattr(dtype, "ordered", False)),
    )


def _is_numpy(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype)


def _of_polars(name: Any, column: Any) -> TargetColumn:
    values = np.empty(len(column), object)
    values[:] = column.to_list()
    known = _known(values)
    if known.all() and column.dtype.is_numeric():
        values = column.to_numpy()
    dtype = str(column.dtype.base_type())
    categories = getattr(column.dtype, "categories", None) if dtype == "Enum" else None
    listed = None if categories is None else tuple(categories.to_list())
    return TargetColumn(name, values, known, dtype, listed)


def _of_array(name: Any, values: np.ndarray) -> TargetColumn:
    return TargetColumn(name, values, _known(values), values.dtype.name)


def _array(y: Any) -> np.ndarray:
    """An array; of lists with texts or missing values one of objects."""
    if isinstance(y, np.ndarray):
        return y
    values = np.asarray(y)
    return values if values.dtype.kind in "biuf" else np.array(y, dtype=object)


def _known(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    if values.dtype.kind != "O":
        return np.ones(len(values), bool)
    return np.array([not is_missing(value) for value in values], bool)


def _narrow(values: np.ndarray) -> np.ndarray:
    """Objects as an array of their own type, where they have one."""
    types = {type(value) for value in values.tolist()}
    texts = [issubclass(kind, str) for kind in types]
    if any(texts) and not all(texts):  # NumPy would make texts of numbers
        return values
    narrow = np.array(values.tolist())
    return narrow if narrow.ndim == 1 and narrow.dtype.kind in "biufU" else values


# Back to containers, from columns of predictions.


def written(
    container: str, columns: Sequence[Any], values: Sequence[np.ndarray], X: Any
) -> Any:
    """Predictions in the container, the columns and the types of y.

    Parameters
    ----------
    container : str
        A key of ``WRITERS``.
    columns : sequence
        With name, dtype, categories and ordered, as ``TargetColumn`` has them.
    values : sequence of ndarray of shape (n_samples,)
    X : array or frame
        Its index is taken over, if both are frames of pandas.
    """
    return WRITERS[container](columns, values, X)


def _to_pandas(columns: Sequence[Any], values: Sequence[np.ndarray], X: Any) -> Any:
    import pandas as pd

    index = getattr(X, "index", None) if hasattr(X, "iloc") else None
    made = [
        pd.Series(each.tolist(), index, _dtype_in_pandas(pd, column, each))
        for column, each in zip(columns, values, strict=True)
    ]
    frame = pd.concat(made, axis=1)
    frame.columns = pd.Index([column.name for column in columns])
    return frame


def _dtype_in_pandas(pd: Any, column: Any, values: np.ndarray) -> Any:
    if column.categories is not None:
        return pd.CategoricalDtype(list(column.categories), column.ordered)
    other = values.dtype.kind == "f" and column.dtype not in _FLOATS
    return "float64" if other else column.dtype


def _to_polars(columns: Sequence[Any], values: Sequence[np.ndarray], X: Any) -> Any:
    import polars as pl

    def dtype_of(column: Any, each: np.ndarray) -> Any:
        if column.categories is not None:
            return pl.Enum(list(column.categories))
        if each.dtype.kind == "f" and not column.dtype.startswith("Float"):
            return pl.Float64
        return getattr(pl, column.dtype)

    return pl.DataFrame(
        [
            pl.Series(column.name, each.tolist()).cast(dtype_of(column, each))
            for column, each in zip(columns, values, strict=True)
        ]
    )


def _to_dict(columns: Sequence[Any], values: Sequence[np.ndarray], X: Any) -> Any:
    return {c.name: each for c, each in zip(columns, values, strict=True)}


def _to_array(columns: Sequence[Any], values: Sequence[np.ndarray], X: Any) -> Any:
    if len({each.dtype.kind for each in values}) == 1:
        return np.column_stack(values)
    array = np.empty((len(values[0]), len(values)), object)
    for k, each in enumerate(values):
        array[:, k] = each.tolist()
    return array


WRITERS = {
    "pandas": _to_pandas,
    "polars": _to_polars,
    "dict": _to_dict,
    "array": _to_array,
    "flat": lambda columns, values, X: values[0],
}


def like_rows(columns: Mapping[str, np.ndarray], X: Any) -> Any:
    """Columns as a frame of the library of X, with its index; as a dict if X is no frame."""
    if hasattr(X, "iloc"):
        import pandas as pd

        return pd.DataFrame(dict(columns), index=X.index)
    if hasattr(X, "get_columns"):
        import polars as pl

        return pl.DataFrame({name: each.tolist() for name, each in columns.items()})
    return dict(columns)
