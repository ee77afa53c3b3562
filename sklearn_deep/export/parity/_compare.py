"""Comparison of the predictions of onnxruntime and of the estimator."""

import math
import platform
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_deep.data._target_columns import target_columns
from sklearn_deep.exceptions import OnnxExportError, OnnxParityError
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.parity._differing_rows import describe_differing_row
from sklearn_deep.export.parity._edge_rows import edge_rows
from sklearn_deep.export.parity._first_difference import first_difference
from sklearn_deep.export.parity._ties import class_indices, margins
from sklearn_deep.export.sklearn._composition import (
    final_estimator,
    steps_before,
    unwrap,
)
from sklearn_deep.export.sklearn._unseen_missing import without_missing
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._outputs import assemble_output, output_names
from sklearn_deep.serving._sequence_inputs import (
    flat_steps,
    is_sequence_array,
    row_lengths,
    unpadded_steps,
)

# Largest number of rows in one comparison, and of their values; values counted for a text.
_MAX_CHUNK_ROWS, _MAX_CHUNK_VALUES, _TEXT_VALUES = 16384, 1 << 20, 1 << 13
_LIBRARIES = (
    "sklearn-deep",
    "scikit-learn",
    "torch",
    "numpy",
    "skl2onnx",
    "onnx",
    "onnxruntime",
)


def check_parity(
    model: Any,
    X: Any,
    proto: Any,
    metadata: dict[str, Any],
    tolerance: float,
    refused_missing: Sequence[int] = (),
    content: bytes | None = None,
) -> dict[str, Any]:
    """Compare an ONNX model with its estimator.

    Generated rows with a missing value in the columns of ``refused_missing`` are skipped.
    ``content`` is the file if it is in another format than ONNX.

    Returns
    -------
    receipt : dict

    Raises
    ------
    OnnxParityError
        If they differ by more than ``tolerance``.
    """
    session = open_session(content or proto.SerializeToString())
    generated = without_missing(model, edge_rows(model, X), refused_missing)
    comparison = _Comparison(model, metadata, session)
    n_rows = sum(map(comparison.add, _chunks(X)))
    n_generated = sum(map(comparison.add, generated))
    differences = comparison.differences()
    worst = max(differences, key=lambda name: differences[name]["relative"])
    if comparison.differs(tolerance):
        opset = next(o.version for o in proto.opset_import if o.domain == "")
        step, where = _locate_difference(
            model, [X, *generated], metadata, opset, tolerance
        )
        where += _describe_generated_row(
            X, generated, model, metadata, session, tolerance
        )
        raise _parity_error(model, comparison, worst, tolerance, step, where)
    return {
        "differences": differences,
        "rows": n_rows,
        "edge_rows": n_generated,
        "ties": comparison.ties(tolerance),
        "tolerance": tolerance,
        "versions": dict(_versions()),
    }


class _Comparison:
    """Differences between the predictions of both, accumulated over blocks of rows."""

    def __init__(self, model: Any, metadata: dict[str, Any], session: Any) -> None:
        self.model, self.metadata, self.session = model, metadata, session
        self.largest: dict[str, float] = {}
        self.scales: dict[str, float] = {}
        self.margins: list[np.ndarray] = []  # of labels that differ
        self.label_scale = 0.0

    def add(self, rows: Any) -> int:
        """Predict rows with both and compare; return the number of rows."""
        feeds = make_feeds(rows, self.metadata)
        names = [info.name for info in self.session.get_outputs()]
        results = self._run(names, feeds)
        outputs = dict(zip(names, results, strict=True))
        steps = self.metadata["by_step"]
        if steps:
            lengths = row_lengths(feeds, self.metadata)
            outputs = {k: unpadded_steps(v, lengths) for k, v in outputs.items()}
        if self.metadata["task"] == "several":
            self._add_tasks(rows, outputs)
            return len(results[0])
        expected: dict[str, Any] = {}
        for method, role in self.metadata["outputs"].items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about generated rows
                found = call_method(self.model, method, rows)
                expected[method] = flat_steps(found) if steps else found
            if method == "predict" and self.metadata["task"] == "classifier":
                continue
            got = assemble_output(
                method, self.metadata, [outputs[n] for n in output_names(role)]
            )
            if role["form"] != "sequence":
                got, expected_parts = [got], [expected[method]]
            else:
                expected_parts = expected[method]
            for one, other in zip(expected_parts, got, strict=True):
                one = one.toarray() if hasattr(one, "toarray") else one
                self._compare_scores(method, np.asarray(one, float), other)
        if self.metadata["task"] == "classifier":
            got = outputs[self.metadata["outputs"]["predict"]["name"]]
            self._compare_labels(expected, got, rows)
        return len(results[0])

    def _add_tasks(self, rows: Any, outputs: dict[str, Any]) -> None:
        """Compare the predictions of each task."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about generated rows
            _, columns = target_columns(self.model.predict(rows), "")
            proba = getattr(self.model, "predict_proba", None)
            shares: dict[Any, Any] = {} if proba is None else proba(rows)
        tasks = zip(
            self.metadata["tasks"],
            columns,
            final_estimator(self.model).tasks_,
            strict=True,
        )
        for task, column, key in tasks:
            name, got = task["predict"], outputs[task["predict"]]
            if task["classes"] is None:
                self._compare_scores(name, column.values.astype(float), got)
                continue
            expected = {"predict": column.values, "predict_proba": shares[key]}
            scores = outputs[task["predict_proba"]]
            self._compare_scores(task["predict_proba"], shares[key], scores, 1.0)
            self._compare_labels(expected, got, rows, name)

    def _run(self, names: list[str], feeds: dict[str, np.ndarray]) -> list[Any]:
        try:
            return self.session.run(names, feeds)
        except Exception as error:  # onnxruntime's errors have no other base class
            raise OnnxExportError(
                f"onnxruntime {version('onnxruntime')} cannot compute the ONNX form of"
                f" {type(self.model).__name__}: {error}"
            ) from error

    def _compare_scores(
        self,
        method: str,
        expected: np.ndarray,
        got: np.ndarray,
        scale: float | None = None,
    ) -> None:
        got = np.asarray(got, float)
        if got.size != expected.size:  # the shapes differ
            self.largest[method], self.scales[method] = math.inf, 1.0
            return
        got = got.reshape(expected.shape)
        with np.errstate(invalid="ignore"):
            gap = np.abs(expected - got)
        gap[(expected == got) | (np.isnan(expected) & np.isnan(got))] = 0
        gap[np.isnan(gap)] = np.inf
        finite = np.abs(expected[np.isfinite(expected)])
        if scale is None:
            largest_value = float(finite.max(initial=0.0))
            scale = 1.0 if method == "predict_proba" else largest_value
        largest = float(gap.max(initial=0.0))  # a row may have no steps
        self.largest[method] = max(self.largest.get(method, 0.0), largest)
        self.scales[method] = max(self.scales.get(method, 0.0), scale)

    def _compare_labels(
        self, expected: dict[str, Any], got: np.ndarray, X: Any, name: str = "predict"
    ) -> None:
        labels = np.asarray(expected["predict"])
        if self.metadata["class_numbers"]:
            labels = class_indices(self.model, labels)
        same = labels.astype(got.dtype).reshape(got.shape) == got
        if not same.all():
            margin, scale = margins(
                self.model, self.metadata["multilabel"], expected, X
            )
            margin = np.broadcast_to(margin, same.shape)[~same]
            self.margins.append(margin)
            self.label_scale = max(self.label_scale, scale)
        self.largest[name] = max(self.largest.get(name, 0.0), 0.0)
        self.scales[name] = 1.0

    def differences(self) -> dict[str, dict[str, float]]:
        """Largest difference of each output, absolute and relative to its scale."""
        return {
            method: {
                "largest": largest,
                "relative": largest / (self.scales[method] or 1.0),
            }
            for method, largest in self.largest.items()
        }

    def differs(self, tolerance: float) -> bool:
        """Tell whether any output differs by more than ``tolerance`` of its scale."""
        shares = [each["relative"] for each in self.differences().values()]
        near = all(share <= tolerance for share in shares)
        return not near or self.wrong_labels(tolerance) > 0

    def _is_wrong(self, tolerance: float) -> np.ndarray:
        """Mark the labels that differ although their two best classes are not tied."""
        margins = np.concatenate([np.empty(0), *self.margins])
        return ~(margins <= 2 * tolerance * self.label_scale)

    def wrong_labels(self, tolerance: float) -> int:
        """Count labels that differ although their classes are not tied."""
        return int(self._is_wrong(tolerance).sum())

    def ties(self, tolerance: float) -> int:
        """Count labels that differ because two classes are tied."""
        return int((~self._is_wrong(tolerance)).sum())


def call_method(model: Any, method: str, rows: Any) -> Any:
    """Predict rows by a method, or the standard deviation by ``"std"``."""
    if method == "std":
        return _std(model, rows)
    return getattr(model, method)(rows)


def _std(model: Any, rows: Any) -> Any:
    """Standard deviations of a network inside searches, whose predict lacks return_std."""
    model = unwrap(model)
    if not isinstance(model, Pipeline):
        return model.predict(rows, return_std=True)[1]
    for step in steps_before(model):
        rows = step.transform(rows)
    return _std(model.steps[-1][1], rows)


def _locate_difference(
    model: Any,
    blocks: list[Any],
    metadata: dict[str, Any],
    opset: int,
    tolerance: float,
) -> tuple[str, str]:
    """Find the first step that differs, and describe it in a sentence."""
    try:
        step, gap = first_difference(model, blocks, metadata, opset, tolerance)
    except Exception as error:  # the difference must be reported in any case
        step = type(unwrap(model)).__name__
        return step, f"Its steps could not be compared one by one: {error}"
    by = "" if np.isnan(gap) else f", by {gap:.2g} of its scale"
    return step, f"The first step whose output differs is {step}{by}."


def _describe_generated_row(
    X: Any,
    generated: list[Any],
    model: Any,
    metadata: dict[str, Any],
    session: Any,
    tolerance: float,
) -> str:
    """Describe the generated row that differs, if the rows of X agree."""

    def differs(rows: Any) -> bool:
        alone = _Comparison(model, metadata, session)
        alone.add(rows)
        return alone.differs(tolerance)

    try:
        if any(map(differs, _chunks(X))):
            return ""
        return describe_differing_row(X, generated, differs)
    except Exception:  # the difference must be reported in any case
        return ""


def _chunks(X: Any) -> list[Any]:
    size = _MAX_CHUNK_ROWS
    if len(X.shape) > 2:
        size = max(1, min(_MAX_CHUNK_ROWS, _MAX_CHUNK_VALUES // math.prod(X.shape[1:])))
    elif is_sequence_array(X):
        size = max(1, min(_MAX_CHUNK_ROWS, _MAX_CHUNK_VALUES // max(map(_size, X))))
    if len(X) <= size:
        return [X]
    return [
        X.iloc[i : i + size] if hasattr(X, "iloc") else X[i : i + size]
        for i in range(0, len(X), size)
    ]


def _size(row: Any) -> int:
    """Number of values of a row; a text becomes thousands of columns."""
    return _TEXT_VALUES if isinstance(row, str) else np.size(row)


def _parity_error(
    model: Any,
    comparison: _Comparison,
    worst: str,
    tolerance: float,
    step: str,
    where: str,
) -> OnnxParityError:
    share = comparison.differences()[worst]["relative"]
    wrong = comparison.wrong_labels(tolerance)
    labels = f" {wrong} labels differ." if wrong else ""
    return OnnxParityError(
        f"The ONNX form of {type(model).__name__} differs from it by {share:.2g} of the"
        f" scale of {worst}, more than tolerance={tolerance:g}.{labels} {where}"
        " No file was written. Replace that step, pass X in float64 if the difference is"
        " rounding, or raise tolerance.",
        step,
        share,
    )


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
