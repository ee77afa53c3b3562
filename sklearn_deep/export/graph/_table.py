"""Rows in a graph: blocks of columns, or images and series."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, STRING, Graph, Value
from sklearn_deep.export.graph._refusals import propagates_nan


@dataclass(frozen=True)
class Table:
    """Values of shape (n, width) that together contain the columns of ``X``.

    Attributes
    ----------
    blocks : tuple of (Value, int)
        Each value with its number of columns.
    row_shape : tuple of int or None
        For images and series, the shape of a row, with None for an axis of any
        length; there is a single block then, of shape (n, *row_shape). None for
        columns.
    lengths : Value or None
        Lengths of sequences of unequal length, (n,).
    """

    blocks: tuple[tuple[Value, int], ...]
    row_shape: tuple[int | None, ...] | None = None
    lengths: Value | None = None

    @classmethod
    def of(cls, value: Value, width: int) -> "Table":
        """Wrap one matrix."""
        return cls(((value, width),))

    @classmethod
    def of_rows(
        cls,
        value: Value,
        row_shape: Sequence[int | None],
        lengths: Value | None = None,
    ) -> "Table":
        """Wrap rows of any shape."""
        return cls(((value, 1),), tuple(row_shape), lengths)

    def with_values(self, value: Value) -> "Table":
        """Wrap another value of the same shape."""
        return Table(((value, self.width),), self.row_shape, self.lengths)

    @classmethod
    def join(cls, tables: Iterable["Table"]) -> "Table":
        """Concatenate the columns of tables."""
        return cls(tuple(block for table in tables for block in table.blocks))

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(width for _, width in self.blocks)

    @property
    def dtype(self) -> np.dtype:
        """The dtype that NumPy would give to an array of all columns."""
        for value, _ in self.blocks:
            value.check_readable()
        dtypes = {value.dtype for value, _ in self.blocks}
        if STRING in dtypes:
            if len(dtypes) > 1:
                raise OnnxExportError(
                    "Columns of strings and of numbers are in one array. Process them"
                    " separately, in a ColumnTransformer."
                )
            return STRING
        return np.result_type(*dtypes) if dtypes else DOUBLE

    def inputs(self) -> list[tuple[Value, tuple[int | None, ...]]]:
        """Return the values, each with the shape of a row."""
        if self.row_shape is None:
            return [(value, (width,)) for value, width in self.blocks]
        rows = [(self.blocks[0][0], self.row_shape)]
        return [*rows, (self.lengths, ())] if self.lengths is not None else rows

    def rows(
        self, graph: Graph, dtype: np.dtype
    ) -> tuple[Value, tuple[int | None, ...]]:
        """Return the rows for a network, (n, *row_shape), and the shape of a row."""
        if self.row_shape is None:
            return self.matrix(graph, dtype), (self.width,)
        out = graph.cast(self.blocks[0][0], dtype)
        propagates_nan(graph, self.blocks[0][0], out)
        return out, self.row_shape

    def matrix(self, graph: Graph, dtype: np.dtype | None = None) -> Value:
        """Concatenate all columns to one value of shape (n, width)."""
        self._check_flat()
        if not self.blocks:
            raise OnnxExportError(
                "No column is left: an ONNX graph cannot compute an array without columns."
            )
        key = "matrix", self, self.dtype if dtype is None else dtype
        if key not in graph.memo:
            graph.memo[key] = self._joined(graph, key[-1])
        return graph.memo[key]

    def _joined(self, graph: Graph, dtype: np.dtype) -> Value:
        out = graph.concat([graph.cast(value, dtype) for value, _ in self.blocks])
        for value, _ in self.blocks:
            propagates_nan(graph, value, out)
        return out

    def select(self, graph: Graph, indices: Sequence[int]) -> "Table":
        """Select columns by index, in this order."""
        self._check_flat()
        starts = np.cumsum([0, *(width for _, width in self.blocks)])
        blocks: list[tuple[int, list[int]]] = []
        for index in indices:
            block = int(np.searchsorted(starts, index, side="right")) - 1
            if not blocks or blocks[-1][0] != block:
                blocks.append((block, []))
            blocks[-1][1].append(int(index - starts[block]))
        return Table(tuple(self._part(graph, b, columns) for b, columns in blocks))

    def _part(self, graph: Graph, block: int, columns: list[int]) -> tuple[Value, int]:
        value, width = self.blocks[block]
        if columns == list(range(width)):
            return value, width
        indices = graph.constant(np.array(columns, np.int64))
        return graph.node("Gather", value, indices, axis=1), len(columns)

    def _check_flat(self) -> None:
        if self.row_shape is not None:
            raise OnnxExportError(
                f"A step expects columns, but the rows of X have shape {self.row_shape}."
                " Pass 2-D X, and input_shape to the network."
            )

    def columns(self, graph: Graph) -> list[Value]:
        """Return each column as a value of shape (n, 1)."""
        return [self.select(graph, [j]).blocks[0][0] for j in range(self.width)]
