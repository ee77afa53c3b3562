"""Transformers in front of a network, fitted by owners who send statistics only.

Owners and server go through the same tree of Pipelines and ColumnTransformers. Statistics
are known by the path of a step. A step can be asked for once all before it are known, so
that a chain of scalers takes as many questions as it is long.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from sklearn_deep.exceptions import FederatedError
from sklearn_deep.scale.federated._schema import Schema, frame_of
from sklearn_deep.scale.federated._statistics import (
    ROWS_BY_NAME,
    Statistics,
    fitted_step,
    row_of,
)

# Statistics of all owners by path of a step; their columns under "names".
Known = Mapping[str, Statistics]

_PASSES = (None, "passthrough")


def head_of(estimator: Any) -> Pipeline | None:
    """The transformers in front of a network; None where there are none."""
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        return estimator[:-1]
    return None


def next_statistics(head: Any, schema: Schema, known: Known, X: Any) -> Known:
    """What an owner's rows say about the steps that can be fitted next.

    Parameters
    ----------
    head : Pipeline or None
        Unfitted transformers.
    schema : Schema
    known : mapping of str to Statistics
        Merged statistics of earlier steps.
    X : rows of the owner

    Returns
    -------
    dict of str to Statistics
        Empty where all steps are known.
    """
    asked: dict[str, Statistics] = {}
    if head is not None:
        _Walk(schema, known, asked).step("", head, X)
    return asked


def is_complete(head: Any, known: Known) -> bool:
    """Whether the statistics of all steps are known."""
    return head is None or all(path in known for path in _learning("", head))


def _learning(path: str, step: Any) -> Iterator[str]:
    """Paths of the steps that learn something."""
    if isinstance(step, Pipeline):
        inner = [(name, s) for name, s in step.steps]
    elif isinstance(step, ColumnTransformer):
        inner = [(name, s) for name, s, _ in step.transformers]
        inner.append(("remainder", step.remainder))
    else:
        learns = not (step is None or isinstance(step, str)) and row_of(path, step)
        yield from [path] if learns else []
        return
    for name, part in inner:
        yield from _learning(_join(path, name), part)


def merge_all(parts: Sequence[Known]) -> Known:
    """Statistics of all owners from those of each."""
    return {path: _merged([part[path] for part in parts]) for path in parts[0]}


def _merged(parts: list[Statistics]) -> Statistics:
    first = parts[0]
    merge = ROWS_BY_NAME[first["kind"]].merge
    return {**merge(parts), "names": first["names"], "kind": first["kind"]}


def fitted_head(head: Any, schema: Schema, known: Known) -> Any:
    """The transformers as the rows of all owners together would have fitted them."""
    if head is None:
        return None
    fitted, X = (
        _Build(schema, known).step("", head),
        made_up_rows(head, schema, known, 1),
    )
    for _, step in fitted.steps:
        if step in _PASSES:
            continue
        if not _is_fitted(step):
            step.fit(X)  # it learns names and number of columns
        X = step.transform(X)
    return fitted


def _is_fitted(step: Any) -> bool:
    return hasattr(step, "n_features_in_")


def made_up_rows(head: Any, schema: Schema, known: Known, n: int) -> Any:
    """Rows of the agreed form that the fitted transformers can transform."""
    if head is None:
        return schema.rows(n)
    return _Build(schema, known).rows("", head, n)


def check_head(head: Any) -> None:
    """Raise for a step whose statistics cannot be shared."""
    if head is not None:
        _check("", head, first=True)


def _check(path: str, step: Any, first: bool) -> None:
    if isinstance(step, Pipeline):
        for k, (name, inner) in enumerate(step.steps):
            _check(_join(path, name), inner, first and k == 0)
    elif isinstance(step, ColumnTransformer):
        if not first:
            raise FederatedError(
                f"The step {path!r} (ColumnTransformer) is not the first: owners agree on"
                " the columns of their rows, not on those behind a step. Put it in front."
            )
        for name, inner, _ in step.transformers:
            _check(_join(path, name), inner, first=False)
        _check(_join(path, "remainder"), step.remainder, first=False)
    elif not (step is None or isinstance(step, str)):
        row_of(path, step)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@dataclass
class _Walk:
    """An owner's rows on their way through the tree, as far as steps are known."""

    schema: Schema
    known: Known
    asked: dict[str, Statistics]

    def step(self, path: str, step: Any, X: Any) -> Any:
        """The rows behind a step; None where it is not known yet."""
        if isinstance(step, Pipeline):
            return self._pipeline(path, step, X)
        if isinstance(step, ColumnTransformer):
            return self._columns(path, step, X)
        if step in _PASSES:
            return X
        row = row_of(path, step)
        if row is not None and path not in self.known:
            names = Schema.of(X).names
            kind = type(step).__name__
            self.asked[path] = {**row.collect(step, X), "names": names, "kind": kind}
            return None
        return _Build(self.schema, self.known).step(path, step).transform(X)

    def _pipeline(self, path: str, pipeline: Pipeline, X: Any) -> Any:
        for name, step in pipeline.steps:
            X = self.step(_join(path, name), step, X)
            if X is None:
                return None
        return X

    def _columns(self, path: str, whole: ColumnTransformer, X: Any) -> Any:
        parts = [
            self.step(_join(path, name), step, _safe_indexing(X, columns, axis=1))
            for name, step, columns in parts_of(whole, X)
        ]
        if any(part is None for part in parts):
            return None
        return _Build(self.schema, self.known).step(path, whole).transform(X)


@dataclass
class _Build:
    """Fitted steps from merged statistics, without rows."""

    schema: Schema
    known: Known

    def step(self, path: str, step: Any) -> Any:
        """The fitted step."""
        if isinstance(step, Pipeline):
            steps = [(name, self.step(_join(path, name), s)) for name, s in step.steps]
            return clone(step).set_params(steps=steps)
        if isinstance(step, ColumnTransformer):
            return self._columns(path, step)
        if step in _PASSES:
            return step
        row = row_of(path, step)
        if row is None:
            return clone(step)
        known = self.known[path]
        return fitted_step(row, step, known, _wrapping(known["names"]))

    def _columns(self, path: str, whole: ColumnTransformer) -> ColumnTransformer:
        """Fitted parts put together, by a made-up row that they can transform."""
        X = self.rows(path, whole, 1)
        parts = parts_of(whole, X)
        fitted = {name: self.step(_join(path, name), step) for name, step, _ in parts}
        frozen = [
            (name, _frozen(fitted.get(name, step)), columns)
            for name, step, columns in whole.transformers
        ]
        rest = _frozen(fitted.get("remainder", whole.remainder))
        joint = clone(whole).set_params(transformers=frozen, remainder=rest).fit(X)
        joint.transformers_ = [
            (name, _thawed(step), columns)
            for name, step, columns in joint.transformers_
        ]
        return joint.set_params(**clone(whole).get_params(deep=False))

    def rows(self, path: str, step: Any, n: int) -> Any:
        """Made-up rows of the agreed form that a fitted step can transform."""
        X = self.schema.rows(n)
        if isinstance(step, Pipeline):
            inner = next((s for s in step.steps if s[1] not in _PASSES), None)
            if inner is not None and isinstance(
                inner[1], (Pipeline, ColumnTransformer)
            ):
                return self.rows(_join(path, inner[0]), inner[1], n)
        if isinstance(step, ColumnTransformer):
            for name, part, columns in parts_of(step, X):
                values = self._example(_join(path, name), part)
                _fill(X, _places(X, columns), values)
        else:
            _fill(X, range(X.shape[1]), self._example(path, step))
        return X

    def _example(self, path: str, step: Any) -> list[Any] | None:
        """A value per column that a fitted step can transform; None for any."""
        if isinstance(step, Pipeline):
            inner = [self._example(_join(path, name), s) for name, s in step.steps]
            # An encoder behind an imputer knows values that are categories.
            return next((row for row in reversed(inner) if row is not None), None)
        row = None if step in _PASSES else row_of(path, step)
        if row is None:
            return None
        return [column[0] for column in row.example(step, self.known[path])]


def _fill(X: Any, places: Iterable[int], values: list[Any] | None) -> None:
    """Write a value into each of some columns."""
    for place, value in zip(places, values or [], strict=False):
        if hasattr(X, "iloc"):
            X.isetitem(place, [value] * len(X))
        else:
            X[:, place] = value


def parts_of(whole: ColumnTransformer, X: Any) -> list[tuple[str, Any, Any]]:
    """Name, step and columns of the parts of a ColumnTransformer, those dropped left out."""
    steps = {name: step for name, step, _ in whole.transformers}
    steps["remainder"] = whole.remainder
    kept = {
        name: "drop" if step == "drop" else "passthrough"
        for name, step in steps.items()
    }
    probe = ColumnTransformer(
        [(name, kept[name], columns) for name, _, columns in whole.transformers],
        remainder=kept["remainder"],
    ).fit(X)
    return [
        (name, steps[name], columns)
        for name, _, columns in probe.transformers_
        if kept[name] != "drop" and len(_places(X, columns))
    ]


def _places(X: Any, columns: Any) -> list[int]:
    """Numbers of columns; a fitted ColumnTransformer names or counts them."""
    if isinstance(columns, slice):
        return list(range(X.shape[1]))[columns]
    columns = np.atleast_1d(np.asarray(columns))
    if columns.dtype == bool:
        return np.flatnonzero(columns).tolist()
    if columns.dtype.kind in "iu":
        return [int(place) % X.shape[1] for place in columns]
    order = list(X.columns)
    return [order.index(name) for name in columns.tolist()]


def _frozen(step: Any) -> Any:
    return step if step is None or isinstance(step, str) else FrozenEstimator(step)


def _thawed(step: Any) -> Any:
    return step.estimator if isinstance(step, FrozenEstimator) else step


def _wrapping(names: list[Any] | None) -> Callable[[list[list[Any]]], Any]:
    """Make rows of columns: a frame where the owners had one."""
    if names is None:
        return lambda columns: np.array(columns, dtype=_dtype(columns)).T
    return lambda columns: frame_of(names, columns)


def _dtype(columns: list[list[Any]]) -> Any:
    numeric = all(isinstance(v, (int, float)) for column in columns for v in column)
    return None if numeric else object
