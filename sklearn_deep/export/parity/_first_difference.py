"""Search for the first step of a pipeline whose ONNX form differs."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from sklearn_deep.export.graph._graph import DOUBLE, INT, STRING, Graph, Value
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.inputs._declared import is_frame
from sklearn_deep.export.sklearn._composition import (
    column_indices,
    is_sampler,
    transformed,
    unwrap,
)
from sklearn_deep.serving._feeds import make_feeds

Build = Callable[[Graph], Table]


def first_difference(
    model: Any,
    blocks: list[Any],
    metadata: dict[str, Any],
    opset: int,
    tolerance: float,
) -> tuple[str, float]:
    """Find the first step whose output differs, and the difference relative to its scale.

    If no transformer differs, it is the last step.
    """
    search = _DifferenceSearch(metadata, opset, tolerance)
    pipeline = unwrap(model)
    if not isinstance(pipeline, Pipeline):
        return type(pipeline).__name__, float("nan")
    predicts = metadata["task"] != "transformer"
    for rows in blocks:
        found = search.pipeline(pipeline, rows, rows, search.table, predicts)
        if found is not None:
            return found
    return pipeline.steps[-1][0], float("nan")


class _DifferenceSearch:
    """Compares transformers one by one, each with its input rows and input graph."""

    def __init__(self, metadata: dict[str, Any], opset: int, tolerance: float) -> None:
        self.metadata, self.opset, self.tolerance = metadata, opset, tolerance

    def table(self, graph: Graph) -> Table:
        """Make a table of the graph's inputs; unread columns get a placeholder."""
        values: dict[int, tuple[Value, int]] = {}
        for part in self.metadata["inputs"]:
            dtype = STRING if part["dtype"] == "string" else np.dtype(part["dtype"])
            value = Value(part["name"], dtype)
            if "row_shape" in part:
                lengths = [Value(p["name"], INT) for p in self.metadata["inputs"][1:]]
                return Table.of_rows(value, part["row_shape"], *lengths)
            values[part["columns"][0]] = value, len(part["columns"])
        if (
            len(self.metadata["inputs"]) == 1
            and self.metadata["inputs"][0]["columns"][1:]
        ):
            return Table(tuple(values.values()))
        unread = Value("unread", DOUBLE), 1
        return Table(
            tuple(values.get(j, unread) for j in range(self.metadata["n_features_in"]))
        )

    def step(
        self, step: Any, X: Any, rows: Any, build: Build
    ) -> tuple[str, float] | None:
        """Compare a transformer: ``X`` is the input of the model, ``rows`` of the step."""
        step, found = unwrap(step), None
        if isinstance(step, Pipeline):
            found = self.pipeline(step, X, rows, build, predicts=False)
        elif isinstance(step, ColumnTransformer):
            found = self._column_transformer(step, X, rows, build)
        if found is not None:
            return found
        gap = self._gap(step, X, rows, build)
        return (type(step).__name__, gap) if gap > self.tolerance else None

    def pipeline(
        self, step: Pipeline, X: Any, rows: Any, build: Build, predicts: bool
    ) -> tuple[str, float] | None:
        """Compare the transformers of a Pipeline, without the last step if it predicts."""
        *before, (end, last) = step.steps
        for name, part in before if predicts else step.steps:
            if not _transforms(part):
                continue
            found = self.step(part, X, rows, build)
            if found is not None:
                return _prefixed(name, found)
            rows, build = _transform(part, rows), _build_after(part, build)
        last = unwrap(last)
        if not (predicts and isinstance(last, Pipeline)):
            return None
        found = self.pipeline(last, X, rows, build, predicts)
        return None if found is None else _prefixed(end, found)

    def _column_transformer(
        self, step: Any, X: Any, rows: Any, build: Build
    ) -> tuple[str, float] | None:
        for name, part, columns in step.transformers_:
            indices = column_indices(step, columns)
            if isinstance(part, str) or not indices:
                continue
            part_rows = _columns(step, rows, indices)
            found = self.step(part, X, part_rows, _build_selected(indices, build))
            if found is not None:
                return _prefixed(name, found)
        return None

    def _gap(self, step: Any, X: Any, rows: Any, build: Build) -> float:
        graph = Graph(self.opset, settings={"missing": self.metadata["missing"]})
        table = transformed(graph, step, build(graph))
        out, _ = table.rows(graph, table.dtype)
        out = graph.node("Identity", out)  # an output must not be an input
        read = {name for node in graph.nodes for name in node.input}
        inputs = [
            (value, shape)
            for value, shape in self.table(graph).inputs()
            if value.name in read
        ]
        session = open_session(graph.model(inputs, [out]).SerializeToString())
        feeds = make_feeds(X, self.metadata)
        names = [value.name for value, _ in inputs]
        (got,) = session.run([out.name], {name: feeds[name] for name in names})
        return _relative_gap(_transform(step, rows), got)


def _transforms(step: Any) -> bool:
    """Tell whether a step is a transformer: not a string, None or a resampler."""
    return hasattr(step, "transform") and not is_sampler(step)


def _prefixed(name: str, found: tuple[str, float]) -> tuple[str, float]:
    return f"{name} -> {found[0]}", found[1]


def _transform(step: Any, rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return step.transform(rows)


def _build_after(step: Any, build: Build) -> Build:
    return lambda graph: transformed(graph, step, build(graph))


def _build_selected(indices: list[int], build: Build) -> Build:
    return lambda graph: build(graph).select(graph, indices)


def _columns(step: Any, rows: Any, indices: list[int]) -> Any:
    if is_frame(rows) and hasattr(step, "feature_names_in_"):
        return rows[[step.feature_names_in_[j] for j in indices]]
    if hasattr(rows, "iloc"):
        return rows.iloc[:, indices]
    return rows[:, indices]


def _relative_gap(expected: Any, got: np.ndarray) -> float:
    expected = expected.toarray() if hasattr(expected, "toarray") else expected
    expected = np.asarray(expected)
    if got.dtype.kind not in "fiub":
        return float("inf") if (expected.astype(str) != got.astype(str)).any() else 0.0
    expected = expected.astype(float)
    gap = np.abs(expected - got)
    gap[np.isnan(expected) & np.isnan(got)] = 0
    gap[np.isnan(gap)] = np.inf
    return float(
        gap.max() / (np.abs(expected[np.isfinite(expected)]).max(initial=0) or 1)
    )
