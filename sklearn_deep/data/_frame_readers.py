"""Columns of arrays, lists and frames, read in one way.

pandas and polars are never imported: their frames bring their methods along. A frame of
another library needs one reader, and its line in ``reader_of``.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_deep.data._column_kinds import (
    BOOLEAN,
    CATEGORY,
    DURATION,
    KIND_OF_LETTER,
    MISSING,
    NUMBER,
    OTHER,
    TEXT,
    TIME,
    kind_of_objects,
)
from sklearn_deep.data._object_columns import (
    Codes,
    codes_of,
    codes_of_numbers,
    microseconds_of,
    microseconds_of_array,
    numbers_of,
    without_missing,
)


class FrameReader(ABC):
    """Reads the columns of one X, by their places.

    Attributes
    ----------
    shape : tuple of int
    """

    shape: tuple[int, int]

    @abstractmethod
    def kind(self, place: int) -> str:
        """What a column holds."""

    @abstractmethod
    def numbers(self, place: int) -> np.ndarray:
        """Numbers or booleans as floats; NaN for missing values."""

    @abstractmethod
    def microseconds(self, place: int) -> np.ndarray:
        """Times since 1970 in UTC, or durations, as floats; NaN for missing values."""

    @abstractmethod
    def codes(self, place: int) -> Codes:
        """Codes of the values, -1 for missing ones; and the value of each code."""

    def dtype_of_numbers(self, places: Sequence[int]) -> np.dtype:
        """Give float32 where no column needs more, else float64."""
        return np.dtype("float64")

    def block(self, places: Sequence[int]) -> np.ndarray | None:
        """Several columns of numbers, (n_rows, n_places), where they come as a block."""
        return None


class ObjectReader(FrameReader):
    """Columns of Python objects.

    Parameters
    ----------
    columns : list of lists
        Values of each column.
    """

    def __init__(self, columns: Sequence[list]):
        self._columns = columns
        self.shape = (len(columns[0]), len(columns))

    def kind(self, place: int) -> str:
        return kind_of_objects(self._columns[place])

    def numbers(self, place: int) -> np.ndarray:
        return numbers_of(self._columns[place])

    def microseconds(self, place: int) -> np.ndarray:
        return microseconds_of(self._columns[place])

    def codes(self, place: int) -> Codes:
        return codes_of(self._columns[place])

    def block(self, places: Sequence[int]) -> np.ndarray | None:
        if self.shape[0] > 1:
            return None
        return numbers_of([self._columns[place][0] for place in places])[None]


class ArrayReader(FrameReader):
    """Columns of an array of numbers, booleans, times or durations."""

    def __init__(self, X: np.ndarray):
        self._X, self.shape = X, X.shape
        self._kind = KIND_OF_LETTER[X.dtype.kind]

    def kind(self, place: int) -> str:
        return self._kind

    def numbers(self, place: int) -> np.ndarray:
        return self._X[:, place]

    def microseconds(self, place: int) -> np.ndarray:
        return microseconds_of_array(self._X[:, place])

    def codes(self, place: int) -> Codes:
        return codes_of_numbers(self._X[:, place])

    def dtype_of_numbers(self, places: Sequence[int]) -> np.dtype:
        return self._X.dtype if self._X.dtype == np.float32 else np.dtype("float64")

    def block(self, places: Sequence[int]) -> np.ndarray | None:
        if self._kind not in (NUMBER, BOOLEAN):
            return None
        return self._X if len(places) == self.shape[1] else self._X[:, places]


class _ColumnReader(FrameReader):
    """Columns of a frame, which have dtypes of their own."""

    def __init__(self, X: Any):
        self._X, self.shape = X, X.shape
        self._objects: dict[int, list] = {}

    def objects(self, place: int) -> list:
        """Values of a column as Python objects; read once."""
        if place not in self._objects:
            self._objects[place] = self._columns[place].to_list()
        return self._objects[place]

    @cached_property
    def _columns(self) -> list[Any]:
        raise NotImplementedError

    def dtype_of_numbers(self, places: Sequence[int]) -> np.dtype:
        names = {str(self._columns[place].dtype).lower() for place in places}
        single = bool(names) and names <= {"float32", "float16"}
        return np.dtype("float32" if single else "float64")


# Dtypes of pandas whose letter, if any, says nothing.
_PANDAS_KINDS = {
    "CategoricalDtype": CATEGORY,
    "IntervalDtype": OTHER,
    "PeriodDtype": TIME,
    "StringDtype": TEXT,
}


class PandasReader(_ColumnReader):
    """Columns of a pandas frame."""

    @cached_property
    def _columns(self) -> list[Any]:
        return [self._X.iloc[:, place] for place in range(self.shape[1])]

    def kind(self, place: int) -> str:
        dtype = self._columns[place].dtype
        kind = _PANDAS_KINDS.get(type(dtype).__name__) or KIND_OF_LETTER.get(dtype.kind)
        return kind or kind_of_objects(self.objects(place))

    def _of_objects(self, place: int) -> bool:
        """Whether a column has no other form than Python objects."""
        return self._columns[place].dtype.kind not in KIND_OF_LETTER

    def numbers(self, place: int) -> np.ndarray:
        if self._of_objects(place):
            return numbers_of(self.objects(place))
        return self._columns[place].to_numpy(dtype=np.float64, na_value=np.nan)

    def microseconds(self, place: int) -> np.ndarray:
        if self._of_objects(place):
            return microseconds_of(self.objects(place))
        letter = self._columns[place].dtype.kind
        values = self._columns[place].to_numpy(dtype=f"{letter}8[us]")
        return microseconds_of_array(values)

    def codes(self, place: int) -> Codes:
        column = self._columns[place]
        if type(column.dtype).__name__ == "CategoricalDtype":
            codes, distinct = column.cat.codes.to_numpy(), column.cat.categories
        else:
            codes, distinct = column.factorize()
        return without_missing(codes, distinct.tolist())


# Dtypes of polars that are no numbers.
_POLARS_KINDS = {
    "Boolean": BOOLEAN,
    "Categorical": CATEGORY,
    "Enum": CATEGORY,
    "String": TEXT,
    "Date": TIME,
    "Datetime": TIME,
    "Duration": DURATION,
    "Time": DURATION,
    "Null": MISSING,
}


class PolarsReader(_ColumnReader):
    """Columns of a polars frame."""

    @cached_property
    def _columns(self) -> list[Any]:
        return self._X.get_columns()

    def _dtype(self, place: int) -> str:
        return self._columns[place].dtype.base_type().__name__

    def kind(self, place: int) -> str:
        if self._columns[place].dtype.is_numeric():
            return NUMBER
        return _POLARS_KINDS.get(self._dtype(place)) or kind_of_objects(
            self.objects(place)
        )

    def numbers(self, place: int) -> np.ndarray:
        if self._dtype(place) == "Object":
            return numbers_of(self.objects(place))
        return self._columns[place].cast(float).to_numpy()

    def microseconds(self, place: int) -> np.ndarray:
        column, dtype = self._columns[place], self._dtype(place)
        if dtype in ("Time", "Object"):
            return microseconds_of(self.objects(place))
        if dtype == "Duration":
            return column.dt.total_microseconds().cast(float).to_numpy()
        return column.dt.timestamp("us").cast(float).to_numpy()

    def codes(self, place: int) -> Codes:
        column = self._columns[place]
        if self._dtype(place) in ("Categorical", "Enum"):
            column = column.cast(str)
        elif self._dtype(place) != "String":
            return codes_of(self.objects(place))
        distinct = column.drop_nulls().unique()
        if not len(distinct):
            return np.full(len(column), -1), []
        codes = column.replace_strict(distinct, list(range(len(distinct))), default=-1)
        return codes.to_numpy(), distinct.to_list()


def is_frame(X: Any) -> bool:
    """Tell whether X is a frame of pandas or polars, or like one of them."""
    return (hasattr(X, "iloc") or hasattr(X, "get_columns")) and hasattr(X, "columns")


def names_of(X: Any) -> list[Any]:
    """Names of the columns of a frame."""
    return X.columns if isinstance(X.columns, list) else X.columns.tolist()


def reader_of(X: Any) -> FrameReader:
    """Give the reader of a frame or of an array of two dimensions."""
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "OUS":
            return ObjectReader([column.tolist() for column in X.T])
        return ArrayReader(X)
    return PandasReader(X) if hasattr(X, "iloc") else PolarsReader(X)


def reader_of_row(X: Any, of_objects: bool) -> FrameReader:
    """Give the reader of a frame of one row, which is fastest read as objects.

    Parameters
    ----------
    of_objects : bool
        Whether numbers of some columns must stay as they are: pandas makes floats of
        the integers of a row where a frame has nothing but numbers.
    """
    if not hasattr(X, "iloc"):
        return ObjectReader([[value] for value in X.row(0)])
    row = X.iloc[0]
    if of_objects and getattr(row.dtype, "kind", "") in "fiu":
        return PandasReader(X)
    return ObjectReader([[value] for value in row.tolist()])
