"""Checked columns of X, before anything is learnt from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from sklearn_deep.data._calendar import MICROSECONDS_A_DAY
from sklearn_deep.data._column_kinds import (
    BOOLEAN,
    CATEGORY,
    DURATION,
    MISSING,
    NUMBER,
    TIME,
    label,
)
from sklearn_deep.data._frame_readers import FrameReader
from sklearn_deep.data._object_columns import Codes


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Columns of X: numbers in one matrix, and codes of the values of categories.

    scikit-learn and a fit index it by rows, as they do with an array.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows, n_numbers)
        Columns that are no categories, in their order: numbers, booleans as 0 and 1,
        times in days since 1970, durations in seconds. NaN where a value is missing.
    codes : tuple of ndarray of shape (n_rows,)
        One per category: places of the values in ``distinct``; -1 where missing.
    distinct : tuple of list
        One per category: values that may occur, each once.
    n_columns : int
    dtype : numpy.dtype
        The compute dtype.
    """

    numbers: np.ndarray
    codes: tuple[np.ndarray, ...]
    distinct: tuple[list[Any], ...]
    n_columns: int
    dtype: np.dtype

    ndim: ClassVar[int] = 2

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of columns of X."""
        return len(self), self.n_columns

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Any) -> "ColumnTable":
        codes = tuple(codes[rows] for codes in self.codes)
        return replace(self, numbers=self.numbers[rows], codes=codes)

    def comparable(self) -> np.ndarray:
        """Rows as numbers that are equal where all columns are, missing values too."""
        values = np.column_stack([self.numbers.astype(np.float64), *self.codes])
        values[np.isnan(values)] = np.inf  # which no number of a checked column is
        return values


def _booleans(reader: FrameReader, place: int) -> np.ndarray:
    values = reader.numbers(place)
    other = ~(np.isnan(values) | (values == 0) | (values == 1))
    if other.any():
        raise ValueError(f"it holds {values[other][0]:g}")
    return values


_READ: dict[str, Callable[[FrameReader, int], np.ndarray]] = {
    NUMBER: lambda reader, place: reader.numbers(place),
    BOOLEAN: _booleans,
    TIME: lambda reader, place: reader.microseconds(place) / MICROSECONDS_A_DAY,
    DURATION: lambda reader, place: reader.microseconds(place) / 1e6,
    MISSING: lambda reader, place: np.array(np.nan),
}


def read_table(
    reader: FrameReader,
    kinds: Sequence[str],
    names: Sequence[Any] | None,
    dtype: np.dtype,
    owner: str,
) -> ColumnTable:
    """Read the columns of X as what they are.

    Parameters
    ----------
    reader : FrameReader
    kinds : sequence of str
        Kind of each column.
    names : sequence or None
        Names of the columns, for errors.
    dtype : numpy.dtype
        The compute dtype.
    owner : str
        Name of the estimator, for errors.

    Raises
    ------
    ValueError
        For an infinite number; names the column.
    TypeError
        For values of a category that cannot be compared, such as lists.
    """
    of_numbers = [j for j, kind in enumerate(kinds) if kind != CATEGORY]
    of_categories = [j for j, kind in enumerate(kinds) if kind == CATEGORY]
    numbers = None
    if all(kind == NUMBER for kind in kinds if kind != CATEGORY):
        numbers = reader.block(of_numbers)
    if numbers is None:
        numbers = np.empty((reader.shape[0], len(of_numbers)), order="F")
        for column, place in zip(numbers.T, of_numbers, strict=True):
            try:
                column[:] = _READ[kinds[place]](reader, place)
            except (TypeError, ValueError) as error:
                where = label(names, place)
                raise ValueError(
                    f"The {where} of X of {owner} cannot be read as {kinds[place]}s:"
                    f" {error}."
                ) from error
    _refuse_infinity(numbers, of_numbers, names, owner)
    found = [_codes(reader, place, names, owner) for place in of_categories]
    codes, distinct = (
        (tuple(part) for part in zip(*found, strict=True))
        if found
        else (
            (),
            (),
        )
    )
    return ColumnTable(numbers, codes, distinct, reader.shape[1], dtype)


def _codes(
    reader: FrameReader, place: int, names: Sequence[Any] | None, owner: str
) -> Codes:
    try:
        return reader.codes(place)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        raise TypeError(
            f"The {label(names, place)} of X of {owner} holds values that are no"
            f" categories ({error}). A value must be a number, text, a boolean or a date."
        ) from error


def _refuse_infinity(
    numbers: np.ndarray, places: list[int], names: Sequence[Any] | None, owner: str
) -> None:
    if numbers.dtype.kind != "f":
        return
    infinite = np.isinf(numbers)
    if infinite.any():
        row, k = np.argwhere(infinite)[0]
        raise ValueError(
            f"The {label(names, places[k])} of X of {owner} contains infinity in row"
            f" {row}. Replace it by a number, or by NaN where the value is unknown."
        )
