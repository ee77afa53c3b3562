"""Words that several checks use."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from sklearn_deep.inspection.data_checks._input import CheckInput

_SHOWN = 5


def share(n: int, of: int, noun: str = "row") -> str:
    """``12 rows (3.4 %)``."""
    return f"{count(n, noun)} ({100 * n / of:.2g} %)"


def count(n: int, noun: str) -> str:
    """``1 column``, ``2 columns``, ``3 classes``."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{n:,} {noun if n == 1 else plural}"


def few(items: Iterable[Any]) -> str:
    """The first few of several."""
    every = list(items)
    more = ", ..." if len(every) > _SHOWN else ""
    return ", ".join(map(str, every[:_SHOWN])) + more


def named(data: CheckInput, columns: np.ndarray) -> str:
    """Labels of a few columns."""
    return few(data.rows.label(column) for column in columns)


def rows_line(data: CheckInput, name: str) -> str:
    """Line that leaves rows out of X and y."""
    index = data.rows.index
    if index is None or not index.is_unique:
        return clean_line(data, name)
    if data.y is None:
        return f"X = X.drop(index=report.{name}_.index)"
    if not hasattr(data.y, "iloc"):
        return clean_line(data, name)
    return f"X, y = (part.drop(index=report.{name}_.index) for part in (X, y))"


def clean_line(data: CheckInput, name: str) -> str:
    """Line that cleans X and, where it was given, y."""
    y = "" if data.y is None else ", y"
    return f'X{y} = report.clean(X{y}, what="{name}")'


def columns_line(data: CheckInput, name: str) -> str:
    """Line that leaves columns out of X."""
    if data.rows.index is not None:
        return f"X = X.drop(columns=report.{name}_['label'])"
    return f'X = report.clean(X, what="{name}")'


def labels(data: CheckInput, columns: np.ndarray) -> np.ndarray:
    """Names of columns, or their places where X has none."""
    names = data.rows.names
    return columns if names is None else np.array([names[c] for c in columns], object)
