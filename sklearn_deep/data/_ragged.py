"""Sequences of unequal length: one array of all steps, and where each begins."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.data._layout import Layout


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequences of unequal length, indexed by rows like an array.

    Attributes
    ----------
    values : ndarray of shape (n_steps, ...)
        The steps of all sequences, one sequence behind the other.
    offsets : ndarray of shape (n_rows + 1,)
        Where each sequence begins, and the end.
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of_lengths(cls, values: np.ndarray, lengths: Any) -> "Ragged":
        """Sequences of these lengths."""
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and shape of a step; lengths are not part of it."""
        return (len(self), *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        """Dimensions of ``shape``."""
        return self.values.ndim

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the steps."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Memory of the steps."""
        return self.values.nbytes

    @property
    def lengths(self) -> np.ndarray:
        """Length of each sequence."""
        return np.diff(self.offsets)

    def __getitem__(self, rows: Any) -> "Ragged":
        """Some rows, by a slice, numbers or a mask; a view where they are contiguous."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                stop = max(start, stop)
                first = self.offsets[start]
                values = self.values[first : self.offsets[stop]]
                return type(self)(values, self.offsets[start : stop + 1] - first)
            rows = np.arange(start, stop, step)
        rows = np.asarray(rows)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        steps, lengths, _ = self._steps(rows)
        return self.of_lengths(self.values[steps], lengths)

    def with_values(self, values: np.ndarray) -> "Ragged":
        """Sequences of the same lengths with other steps."""
        return type(self)(values, self.offsets)

    def steps_of(self, rows: np.ndarray) -> np.ndarray:
        """Where the steps of some rows are in ``values``, row by row."""
        return self._steps(rows)[0]

    def row_of(self, step: int) -> int:
        """The row that a step belongs to."""
        return int(np.searchsorted(self.offsets, step, side="right")) - 1

    def repeat(self, of_rows: np.ndarray) -> np.ndarray:
        """Repeat the value of each row for all its steps."""
        return np.repeat(of_rows, self.lengths, axis=0)

    def filled(
        self, rows: np.ndarray | None = None, least: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Some rows, or all, filled up to the longest, (n, longest, ...); and lengths.

        Padding is 0, or the empty string; the result has at least ``least`` steps.
        """
        rows = np.arange(len(self)) if rows is None else rows
        steps, lengths, within = self._steps(rows)
        longest = max(least, int(lengths.max(initial=0)))
        shape = (len(rows) * longest, *self.values.shape[1:])
        out = np.zeros(shape, self.dtype)
        if self.dtype == object:
            out[:] = ""
        out[np.repeat(np.arange(len(rows)) * longest, lengths) + within] = self.values[
            steps
        ]
        return out.reshape(len(rows), longest, *shape[1:]), lengths

    def arrays(self) -> np.ndarray:
        """One array a sequence, in an object array; views."""
        out = np.empty(len(self), object)
        for i, (start, stop) in enumerate(
            zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        ):
            out[i] = self.values[start:stop]
        return out

    def _steps(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the steps of rows are, the rows' lengths, and each step's time."""
        starts = self.offsets[:-1][rows]
        lengths = self.offsets[1:][rows] - starts
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        within = np.arange(total) - np.repeat(ends - lengths, lengths)
        return np.repeat(starts, lengths) + within, lengths, within


class _SeriesLayout(Layout):
    kind, unequal = "series", True


class _TokensLayout(Layout):
    kind, unequal = "tokens", True


def ragged_layout(n_channels: int, *, tokens: bool = False) -> Layout:
    """The layout of sequences of unequal length, of which each is (time, channels)."""
    of = _TokensLayout if tokens else _SeriesLayout
    return of((n_channels,), (n_channels,))
