"""Rows of the page, and what the estimator predicts for them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sklearn_deep.data._target_columns import target_columns
from sklearn_deep.data._times import NOT_A_TIME
from sklearn_deep.export.parity._compare import call_method
from sklearn_deep.export.parity._ties import margins
from sklearn_deep.export.sklearn._composition import final_estimator
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._outputs import output_names

N_EXAMPLES = 20
# JavaScript has larger integers as text only.
_MAX_INTEGER = 2**53
_INFINITY = "-Infinity", "Infinity"
# Labels of rows whose two best classes are this close may differ by rounding.
_TIED = 2e-5


def choose_rows(X: Any) -> Any:
    """Rows that are evenly spaced among all."""
    step = max(1, len(X) // N_EXAMPLES)
    chosen = np.arange(0, len(X), step)[:N_EXAMPLES]
    return X.iloc[chosen] if hasattr(X, "iloc") else X[chosen]


# Rows


def write_rows(X: Any, metadata: dict[str, Any], fields: Any, kind: str) -> list[Any]:
    """Write rows in the form in which the page's editors have them.

    Parameters
    ----------
    X : array or frame
    metadata : dict
    fields : list of dict or None
        The fields of a table.
    kind : str
        Kind of the page's editor.

    Returns
    -------
    list
        Objects of values by column name, nested lists, or texts.
    """
    feeds = make_feeds(X, metadata)
    form = metadata["sequences"]
    if form is not None and form["kind"] in ("text", "document"):
        return list(map(str, feeds["X"]))
    if form is not None:
        return _sequences(feeds["X"], feeds["lengths"])
    (first, *_), n_rows = metadata["inputs"], len(X)
    if not first["columns"] or kind != "table":
        values = feeds[first["name"]]
        return [_plain(row.ravel(), first["dtype"], "") for row in values]
    rows: list[dict[str, Any]] = [{} for _ in range(n_rows)]
    for part in metadata["inputs"]:
        for k, j in enumerate(part["columns"]):
            column = feeds[part["name"]][:, k]
            listed = _plain(column, part["dtype"], metadata["missing"])
            for row, value in zip(rows, listed, strict=True):
                row[fields[j]["name"]] = value
    return rows


def _sequences(steps: np.ndarray, lengths: np.ndarray) -> list[Any]:
    """Steps of each row: lists of a number per channel, or tokens."""
    write = str if steps.dtype == object else plain_number
    return [
        [_step(step, write) for step in row[:length].tolist()]
        for row, length in zip(steps, lengths, strict=True)
    ]


def _step(step: Any, write: Callable[[Any], Any]) -> Any:
    return [write(v) for v in step] if isinstance(step, list) else write(step)


def _plain(values: np.ndarray, dtype: str, missing: str) -> list[Any]:
    """Values of a column for JSON; None for missing ones."""
    if dtype in ("string", "object"):
        return [None if v == missing and missing else str(v) for v in values]
    if dtype == "datetime64[us]":
        return [None if v == NOT_A_TIME else _iso(v) for v in values]
    if dtype == "timedelta64[us]":
        return [None if v == NOT_A_TIME else int(v) / 1e6 for v in values]
    return [plain_number(value) for value in values.tolist()]


def _iso(microseconds: Any) -> str:
    time = np.datetime64(int(microseconds), "us")
    return str(np.datetime_as_string(time, unit="auto"))


def plain_number(value: Any) -> Any:
    """A number for JSON: None for NaN, text for what JavaScript would round."""
    if isinstance(value, float):
        return (
            None
            if value != value
            else value
            if abs(value) < np.inf
            else _INFINITY[value > 0]
        )
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        return str(value)
    return value


# Expected outputs


def write_expected(
    model: Any, X: Any, metadata: dict[str, Any], labels: dict[str, bool]
) -> list[dict[str, Any]]:
    """Predict rows with the estimator, for the page to compare.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
    metadata : dict
    labels : dict of str to bool
        Whether an output of the graph is text.

    Returns
    -------
    list of dict
        One per output: its name, the values of each row, and their scale.
    """
    if metadata["task"] == "several":
        return list(_tasks(model, X, metadata, labels))
    return list(_methods(model, X, metadata, labels))


def _methods(
    model: Any, X: Any, metadata: dict[str, Any], labels: dict[str, bool]
) -> Iterator[dict[str, Any]]:
    found = {m: call_method(model, m, X) for m in metadata["outputs"]}
    for method, role in metadata["outputs"].items():
        (name,), values = output_names(role), found[method]
        if method == "predict" and metadata["task"] == "classifier":
            tied = _tied(model, metadata, found, X)
            yield _expected_labels(name, values, labels[name], tied)
            continue
        of_one = method == "decision_function" and np.ndim(values) == 1
        shares = method == "predict_proba"
        last = of_one and not metadata["by_step"]
        yield {**_expected_numbers(name, values, shares), "last": last}


def _tasks(
    model: Any, X: Any, metadata: dict[str, Any], labels: dict[str, bool]
) -> Iterator[dict[str, Any]]:
    _, columns = target_columns(model.predict(X), "")
    shares = model.predict_proba(X) if hasattr(model, "predict_proba") else {}
    keys = final_estimator(model).tasks_
    for task, column, key in zip(metadata["tasks"], columns, keys, strict=True):
        name = task["predict"]
        if task["classes"] is None:
            yield _expected_numbers(name, np.asarray(column.values, float), False)
            continue
        best = np.sort(shares[key], axis=1)
        tied = best[:, -1] - best[:, -2] <= _TIED
        yield _expected_labels(name, column.values, labels[name], tied)
        yield _expected_numbers(task["predict_proba"], shares[key], True)


def _expected_labels(
    name: str, values: Any, is_text: bool, tied: np.ndarray
) -> dict[str, Any]:
    write = str if is_text else int
    rows = [[write(v) for v in np.ravel(row)] for row in values]
    return {"output": name, "labels": True, "values": rows, "tied": tied.tolist()}


def _expected_numbers(name: str, values: Any, shares: bool) -> dict[str, Any]:
    if hasattr(values, "toarray"):
        values = values.toarray()
    rows = [np.asarray(row, float).ravel() for row in values]
    flat = np.abs(np.concatenate(rows))
    largest = float(flat[np.isfinite(flat)].max(initial=0.0))
    listed = [[plain_number(v) for v in row.tolist()] for row in rows]
    return {
        "output": name,
        "labels": False,
        "values": listed,
        "scale": 1.0 if shares else largest or 1.0,
    }


def _tied(model: Any, metadata: dict[str, Any], found: dict[str, Any], X: Any) -> Any:
    """Mark rows whose label may differ, because its classes are nearly equal."""
    if metadata["by_step"]:
        return np.zeros(len(X), bool)
    distances, scale = margins(model, metadata["multilabel"], found, X)
    tied = np.broadcast_to(distances <= _TIED * scale, (len(X), *distances.shape[1:]))
    return np.any(tied.reshape(len(X), -1), axis=1)
