"""What a fit learns about each column of a frame, by the kind of the column.

An encoded row has three parts: scaled numbers, plain columns, and codes. Every column of X
adds to each part as many values as its class says, in the order of the columns.
"""

from dataclasses import dataclass
from typing import Any

from sklearn_deep.data._calendar import varying
from sklearn_deep.data._column_codes import Categories
from sklearn_deep.data._scaling import Scaling


@dataclass(frozen=True)
class LearntColumn:
    """Base of the kinds of columns.

    Attributes
    ----------
    name : str or None
        None in an array.
    place : int
        Place among the columns of X.
    kind : {"number", "duration", "time", "boolean", "category"}
    """

    name: Any
    place: int
    kind: str

    @property
    def n_numeric(self) -> int:
        """Number of scaled numbers."""
        return 0

    @property
    def n_plain(self) -> int:
        """Number of plain columns."""
        return 0

    @property
    def n_codes(self) -> int:
        """Number of codes of a column of codes, 0 among them; 0 without that column."""
        return 0

    @property
    def dropped(self) -> bool:
        """Whether the column says nothing: the training rows have one value of it."""
        return not (self.n_numeric or self.n_plain or self.n_codes)


@dataclass(frozen=True)
class NumberColumn(LearntColumn):
    """Numbers, and durations in seconds: the scaled number; plain: an indicator.

    The indicator of a missing number is 1 where it is missing; it is there if
    ``scaling.has_indicator``.
    """

    scaling: Scaling

    @property
    def n_numeric(self) -> int:
        return int(not self.scaling.constant)

    @property
    def n_plain(self) -> int:
        return int(self.scaling.has_indicator)


@dataclass(frozen=True)
class TimeColumn(NumberColumn):
    """Dates and times: the days since 1970 in UTC as a number.

    Plain: the indicator, as of a number; then sine and cosine of each cycle.

    Attributes
    ----------
    cycles : tuple of str
        Keys of ``CALENDAR`` whose phase varies.
    """

    cycles: tuple[str, ...]

    @property
    def n_plain(self) -> int:
        return super().n_plain + 2 * len(self.cycles)


@dataclass(frozen=True)
class BooleanColumn(LearntColumn):
    """Booleans. Plain: 1 for true, -1 for false and 0 for a missing value.

    Attributes
    ----------
    constant : bool
        Whether all training rows have one value, or all lack it.
    """

    constant: bool

    @property
    def n_plain(self) -> int:
        return int(not self.constant)


@dataclass(frozen=True)
class CategoryColumn(LearntColumn):
    """Categories: one plain column per value, or one column of codes.

    Attributes
    ----------
    categories : Categories
    one_hot : bool
        Whether a row has plain columns, which are 0 but for that of its value; they are
        all 0 where the value is missing or unknown.
    constant : bool
        Whether all training rows have one value, or all lack it.
    """

    categories: Categories
    one_hot: bool
    constant: bool

    @property
    def embedded(self) -> bool:
        """Whether a row has a code."""
        return not (self.one_hot or self.constant)

    @property
    def n_plain(self) -> int:
        return len(self.categories) if self.one_hot and not self.constant else 0

    @property
    def n_codes(self) -> int:
        return self.categories.n_codes if self.embedded else 0


def learn_numbers(name: Any, place: int, kind: str, values: Any, weight: Any) -> Any:
    """Learn a column of numbers or durations."""
    return NumberColumn(name, place, kind, Scaling.learn(values, weight))


def learn_times(name: Any, place: int, kind: str, values: Any, weight: Any) -> Any:
    """Learn a column of days since 1970."""
    scaling = Scaling.learn(values, weight)
    return TimeColumn(name, place, kind, scaling, varying(values))


def learn_booleans(name: Any, place: int, kind: str, values: Any, weight: Any) -> Any:
    """Learn a column of 0, 1 and NaN."""
    return BooleanColumn(name, place, kind, _one_value(values))


def _one_value(values: Any) -> bool:
    first = values[0]
    return bool(((values != values) if first != first else (values == first)).all())


def learn_categories(
    name: Any, place: int, codes: Any, distinct: list[Any], max_one_hot: int
) -> CategoryColumn:
    """Learn a column of categories from the places of its values."""
    categories = Categories.learn(codes, distinct)
    return CategoryColumn(
        name,
        place,
        "category",
        categories,
        one_hot=len(categories) <= max_one_hot,
        constant=_one_value(codes),
    )
