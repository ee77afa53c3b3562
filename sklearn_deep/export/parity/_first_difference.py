"""Which step of a pipeline differs first, when a model predicts otherwise."""

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
    column_places,
    inside,
    is_sampler,
    transformed,
)
from sklearn_deep.serving._feeds import make_feeds

Build = Callable[[Graph], Table]


def first_difference(
    model: Any, blocks: list[Any], card: dict[str, Any], opset: int, tolerance: float
) -> tuple[str, float]:
    """Name the first step whose output differs, and by how much of its scale.

    Where no transformer does, it is the last step.
    """
    search = _Search(card, opset, tolerance)
    pipeline = inside(model)
    if not isinstance(pipeline, Pipeline):
        return type(pipeline).__name__, float("nan")
    predicts = card["task"] != "transformer"
    for rows in blocks:
        found = search.pipeline(pipeline, rows, rows, search.table, predicts)
        if found is not None:
            return found
    return pipeline.steps[-1][0], float("nan")


class _Search:
    """Walks through transformers with the rows, and with the graph that feeds them."""

    def __init__(self, card: dict[str, Any], opset: int, tolerance: float) -> None:
        self.card, self.opset, self.tolerance = card, opset, tolerance

    def table(self, graph: Graph) -> Table:
        """Give the inputs of the model; columns that it does not read are left out."""
        values: dict[int, tuple[Value, int]] = {}
        for part in self.card["inputs"]:
            dtype = STRING if part["dtype"] == "string" else np.dtype(part["dtype"])
            value = Value(part["name"], dtype)
            if "row_shape" in part:
                lengths = [Value(p["name"], INT) for p in self.card["inputs"][1:]]
                return Table.of_rows(value, part["row_shape"], *lengths)
            values[part["columns"][0]] = value, len(part["columns"])
        if len(self.card["inputs"]) == 1 and self.card["inputs"][0]["columns"][1:]:
            return Table(tuple(values.values()))
        unread = Value("unread", DOUBLE), 1
        return Table(
            tuple(values.get(j, unread) for j in range(self.card["n_features_in"]))
        )

    def step(
        self, step: Any, given: Any, rows: Any, build: Build
    ) -> tuple[str, float] | None:
        """Look into a transformer: ``given`` enters the model, and ``rows`` the step."""
        step, found = inside(step), None
        if isinstance(step, Pipeline):
            found = self.pipeline(step, given, rows, build, predicts=False)
        elif isinstance(step, ColumnTransformer):
            found = self._column_transformer(step, given, rows, build)
        if found is not None:
            return found
        gap = self._gap(step, given, rows, build)
        return (type(step).__name__, gap) if gap > self.tolerance else None

    def pipeline(
        self, step: Pipeline, given: Any, rows: Any, build: Build, predicts: bool
    ) -> tuple[str, float] | None:
        """Look into the transformers of a Pipeline, the last step among them or not."""
        *before, (end, last) = step.steps
        for name, part in before if predicts else step.steps:
            if not _transforms(part):
                continue
            found = self.step(part, given, rows, build)
            if found is not None:
                return _under(name, found)
            rows, build = _transform(part, rows), _then(part, build)
        last = inside(last)
        if not (predicts and isinstance(last, Pipeline)):
            return None
        found = self.pipeline(last, given, rows, build, predicts)
        return None if found is None else _under(end, found)

    def _column_transformer(
        self, step: Any, given: Any, rows: Any, build: Build
    ) -> tuple[str, float] | None:
        for name, part, columns in step.transformers_:
            places = column_places(step, columns)
            if isinstance(part, str) or not places:
                continue
            given_to_it = _columns(step, rows, places)
            found = self.step(part, given, given_to_it, _of(places, build))
            if found is not None:
                return _under(name, found)
        return None

    def _gap(self, step: Any, given: Any, rows: Any, build: Build) -> float:
        graph = Graph(self.opset, settings={"missing": self.card["missing"]})
        table = transformed(graph, step, build(graph))
        out, _ = table.rows(graph, table.dtype)
        out = graph.node("Identity", out)  # a graph may not give an input as it is
        read = {name for node in graph.nodes for name in node.input}
        inputs = [
            (value, shape)
            for value, shape in self.table(graph).inputs()
            if value.name in read
        ]
        session = open_session(graph.model(inputs, [out]).SerializeToString())
        feeds = make_feeds(given, self.card)
        names = [value.name for value, _ in inputs]
        (got,) = session.run([out.name], {name: feeds[name] for name in names})
        return _relative_gap(_transform(step, rows), got)


def _transforms(step: Any) -> bool:
    """Tell whether a step has an output to compare: no word, and no sampler."""
    return hasattr(step, "transform") and not is_sampler(step)


def _under(name: str, found: tuple[str, float]) -> tuple[str, float]:
    return f"{name} -> {found[0]}", found[1]


def _transform(step: Any, rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return step.transform(rows)


def _then(step: Any, build: Build) -> Build:
    return lambda graph: transformed(graph, step, build(graph))


def _of(places: list[int], build: Build) -> Build:
    return lambda graph: build(graph).select(graph, places)


def _columns(step: Any, rows: Any, places: list[int]) -> Any:
    if is_frame(rows) and hasattr(step, "feature_names_in_"):
        return rows[[step.feature_names_in_[j] for j in places]]
    if hasattr(rows, "iloc"):
        return rows.iloc[:, places]
    return rows[:, places]


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
