"""Columns that cannot be features: dates and times, and two columns of one name."""

from typing import Any


def refuse_columns(X: Any, owner: str) -> None:
    """Raise for columns that have no place in a matrix of numbers.

    NumPy would make nanoseconds since 1970 of dates, automatically.

    Parameters
    ----------
    X : array or frame
        As the user gives it.

    Raises
    ------
    TypeError
        For dates, times and periods; the message names the columns.
    ValueError
        For two columns of one name.
    """
    if not hasattr(X, "columns"):
        if _is_time(getattr(X, "dtype", None)):
            raise TypeError(_encode_times(owner, "", X.dtype))
        return
    refuse_repeated_names(X, owner)
    types = X.dtypes if hasattr(X, "dtypes") else X.schema.types
    times = [(n, t) for n, t in zip(_names(X), types, strict=False) if _is_time(t)]
    if times:
        columns = [name for name, _ in times]
        where = f" in the column {columns[0]!r}{_others(columns)}"
        raise TypeError(_encode_times(owner, where, times[0][1]))


def refuse_repeated_names(X: Any, owner: str) -> None:
    """Raise a ValueError for two columns of one name in a frame."""
    names = list(_names(X))
    if len(set(names)) < len(names):
        twice = list(dict.fromkeys(n for n in names if names.count(n) > 1))
        raise ValueError(
            f"X of {owner} has more than one column named {twice[0]!r}"
            f"{_others(twice)}. Every column needs a name of its own: rename them, or"
            " leave one out."
        )


def _names(X: Any) -> Any:
    """Names of columns; a table of pyarrow has them under another name."""
    return getattr(X, "column_names", X.columns)


def _is_time(dtype: Any) -> bool:
    """Tell whether a dtype of NumPy, pandas or polars is one of dates or durations."""
    if getattr(dtype, "kind", "") in ("m", "M"):
        return True
    if hasattr(dtype, "is_temporal"):  # polars
        return bool(dtype.is_temporal())
    if type(dtype).__name__ == "PeriodDtype":
        return True
    return str(dtype).startswith(("date", "time", "duration"))  # pyarrow


def _encode_times(owner: str, where: str, dtype: Any) -> str:
    return (
        f"X of {owner} holds dates or durations{where} (dtype {dtype}), and a network"
        " takes numbers. Encode them first: a date as its year, month and weekday, a"
        " duration in seconds (.dt.total_seconds())."
    )


def _others(names: list[Any]) -> str:
    return f" (and {names[1:6]!r})" if len(names) > 1 else ""
