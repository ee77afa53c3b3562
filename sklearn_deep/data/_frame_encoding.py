"""From the columns of a frame to the matrix that a network takes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sklearn_deep.data._calendar import phases
from sklearn_deep.data._column_kinds import (
    BOOLEAN,
    CATEGORY,
    DURATION,
    NUMBER,
    TIME,
)
from sklearn_deep.data._column_table import ColumnTable
from sklearn_deep.data._layout import TabularLayout
from sklearn_deep.data._learnt_columns import (
    CategoryColumn,
    LearntColumn,
    NumberColumn,
    TimeColumn,
    learn_booleans,
    learn_categories,
    learn_numbers,
    learn_times,
)
from sklearn_deep.data._rows import chunks
from sklearn_deep.data._scaling import squash

_LEARN = {
    NUMBER: learn_numbers,
    DURATION: learn_numbers,
    TIME: learn_times,
    BOOLEAN: learn_booleans,
}

# Rows are encoded in parts that a processor's cache holds.
_PART_BYTES = 1 << 19


class EncodedRows(np.ndarray):
    """Encoded rows: an array whose type tells that it needs no encoding any more."""


class _Numbers(NamedTuple):
    """Where columns of numbers come from, and where they go.

    Attributes
    ----------
    scaled, indicated, booleans : ndarray of int
        Places in ``ColumnTable.numbers``; of those that are scaled, that have an
        indicator, and of booleans.
    center, scale, median : ndarray
        One per scaled column.
    to_indicator, to_boolean : ndarray of int
        Places in the encoded row.
    times : list of (source, cycle, place)
        Cycles of dates; each takes two places.
    """

    scaled: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    median: np.ndarray
    indicated: np.ndarray
    to_indicator: np.ndarray
    booleans: np.ndarray
    to_boolean: np.ndarray
    times: list[tuple[int, str, int]]


class _Categories(NamedTuple):
    """Where columns of categories come from, and where they go.

    Attributes
    ----------
    columns : list of CategoryColumn
        Those that are not constant.
    sources : list of int
        Their places in ``ColumnTable.codes``.
    embedded, one_hot : ndarray of int
        Their places in ``columns``, by what they become.
    starts : ndarray of int
        One per one-hot column: the place in the encoded row that code 0 would have.
    """

    columns: list[CategoryColumn]
    sources: list[int]
    embedded: np.ndarray
    one_hot: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class FrameEncoding:
    """How columns become an encoded row.

    Attributes
    ----------
    columns : tuple of LearntColumn
        One per column of X, dropped ones among them.
    clip : float
        Scaled numbers end here; see ``squash``.
    """

    columns: tuple[LearntColumn, ...]
    clip: float

    @classmethod
    def learn(
        cls,
        table: ColumnTable,
        rows: np.ndarray | None,
        weight: np.ndarray | None,
        kinds: Sequence[str],
        names: Sequence[Any] | None,
        max_one_hot: int,
        clip: float,
    ) -> "FrameEncoding":
        """Learn from some rows of a table; None for all of them."""
        part = table if rows is None else table[rows]
        numbers = iter(part.numbers.T)
        categories = iter(zip(part.codes, part.distinct, strict=True))
        columns: list[LearntColumn] = []
        for place, kind in enumerate(kinds):
            name = None if names is None else names[place]
            if kind == CATEGORY:
                codes, distinct = next(categories)
                columns.append(
                    learn_categories(name, place, codes, distinct, max_one_hot)
                )
            else:
                learn = _LEARN[kind]
                columns.append(learn(name, place, kind, next(numbers), weight))
        return cls(tuple(columns), clip)

    @cached_property
    def layout(self) -> TabularLayout:
        """How many columns each part of an encoded row has."""
        n_numeric = sum(column.n_numeric for column in self.columns)
        n_plain = sum(column.n_plain for column in self.columns)
        codes = tuple(column.n_codes for column in self.columns if column.n_codes)
        # No network has rows without a column: a 0 where all are dropped.
        nothing = not (n_numeric or n_plain or codes)
        return TabularLayout(n_numeric, n_plain + nothing, codes)

    @property
    def sources(self) -> np.ndarray:
        """The column of X that each column of an encoded row comes from.

        The first one for the 0 that stands where all are dropped.
        """
        columns = self.columns
        numeric = [c.place for c in columns for _ in range(c.n_numeric)]
        plain = [c.place for c in columns for _ in range(c.n_plain)]
        codes = [c.place for c in columns if c.n_codes]
        return _places(numeric + plain + codes or [0])

    def encode(self, table: ColumnTable, owner: str) -> EncodedRows:
        """Encode the columns of X, in the dtype of the table."""
        out = np.zeros((len(table), self.layout.n_values), table.dtype)
        for part in chunks(len(table), out[:1].nbytes, _PART_BYTES):
            self._write_numbers(table.numbers[part], out[part])
        self._write_categories(table, out, owner)
        return out.view(EncodedRows)

    def _write_numbers(self, block: np.ndarray, out: np.ndarray) -> None:
        plan = self._numbers
        values = block.astype(np.float64)
        missing = np.isnan(values)
        scaled, some = values[:, plan.scaled], bool(missing.any())
        if some:
            scaled = np.where(missing[:, plan.scaled], plan.median, scaled)
        with np.errstate(over="ignore"):  # squash takes infinity
            scaled = (scaled - plan.center) / plan.scale
        out[:, : len(plan.scaled)] = squash(scaled, self.clip)
        if len(plan.indicated) and some:
            out[:, plan.to_indicator] = missing[:, plan.indicated]
        if len(plan.booleans):
            signs = 2 * values[:, plan.booleans] - 1
            out[:, plan.to_boolean] = np.where(np.isnan(signs), 0, signs)
        for source, cycle, place in plan.times:
            out[:, place : place + 2] = phases(cycle, values[:, source])

    def _write_categories(
        self, table: ColumnTable, out: np.ndarray, owner: str
    ) -> None:
        plan = self._categories
        if not plan.columns:
            return
        codes = np.empty((len(out), len(plan.columns)), np.intp)
        for i, k in enumerate(plan.sources):
            known = self._lookup(plan.columns[i], table.distinct[k], owner)
            codes[:, i] = _take(known, table.codes[k])
        out[:, self.layout.codes_part] = codes[:, plan.embedded]
        one_hot = codes[:, plan.one_hot]
        rows, places = one_hot.nonzero()
        out[rows, plan.starts[places] + one_hot[rows, places]] = 1

    def _lookup(
        self, column: CategoryColumn, distinct: list[Any], owner: str
    ) -> list[int]:
        try:
            return column.categories.lookup(distinct)
        except ValueError as error:
            where = repr(column.name) if column.name is not None else column.place
            raise ValueError(
                f"The column {where} of X of {owner} has other values than in fit:"
                f" {error}. Pass X with the dtypes that it had in fit."
            ) from error

    @cached_property
    def _starts(self) -> list[int]:
        """Where the plain columns of each column of X go."""
        before = np.cumsum([self.layout.n_numeric, *(c.n_plain for c in self.columns)])
        return before.tolist()

    @cached_property
    def _categories(self) -> _Categories:
        columns = [c for c in self.columns if isinstance(c, CategoryColumn)]
        used = [(k, column) for k, column in enumerate(columns) if not column.constant]
        one_hot = [i for i, (_, column) in enumerate(used) if column.one_hot]
        starts = [self._starts[used[i][1].place] - 1 for i in one_hot]
        return _Categories(
            [column for _, column in used],
            [k for k, _ in used],
            _places([i for i, (_, column) in enumerate(used) if column.embedded]),
            _places(one_hot),
            _places(starts),
        )

    @cached_property
    def _numbers(self) -> _Numbers:
        columns = [c for c in self.columns if not isinstance(c, CategoryColumn)]
        number = {k: c for k, c in enumerate(columns) if isinstance(c, NumberColumn)}
        scaled = [k for k, c in number.items() if c.n_numeric]
        indicated = [k for k, c in number.items() if c.scaling.has_indicator]
        booleans = [k for k, c in enumerate(columns) if k not in number and c.n_plain]
        start = self._starts
        times = [
            (k, cycle, start[c.place] + c.scaling.has_indicator + 2 * i)
            for k, c in number.items()
            if isinstance(c, TimeColumn)
            for i, cycle in enumerate(c.cycles)
        ]
        scalings = [number[k].scaling for k in scaled]
        return _Numbers(
            _places(scaled),
            np.array([s.center for s in scalings]),
            np.array([s.scale for s in scalings]),
            np.array([s.median for s in scalings]),
            _places(indicated),
            _places([start[columns[k].place] for k in indicated]),
            _places(booleans),
            _places([start[columns[k].place] for k in booleans]),
            times,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _places(items: list[int]) -> np.ndarray:
    return np.array(items, np.intp)


def _take(codes: list[int], places: np.ndarray) -> Any:
    """Give ``codes[places]``; for one row without the detour of an array."""
    return codes[places[0]] if len(places) == 1 else np.array(codes)[places]
