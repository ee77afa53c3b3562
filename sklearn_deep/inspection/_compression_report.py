"""Comparison of compressed models: sizes, scores and prediction times."""

import pickle
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._versions import is_about_onnx, unsupported
from sklearn_deep.inspection._fit_curve import find_network

# Batch sizes of timed predictions. Each is timed for at least _SECONDS and _FEWEST
# calls.
BATCHES = (1, 32, 1024)
_SECONDS, _FEWEST = 0.1, 5

_NEEDS_ONNX = (
    "no ONNX columns: they need pip install '.[onnx]' in a clone of sklearn-deep"
)


@dataclass(frozen=True)
class CompressionReport:
    """Table with one row per model; ``print`` shows it.

    Parameters
    ----------
    names : list of str
        Names of the models.
    columns : dict of str to ndarray of shape (n_models,)
        ``"parameters"`` and ``"nonzero"``: number of parameters, and of those not zero;
        ``"score"``; ``"pickle_bytes"``, ``"onnx_bytes"`` and ``"zipped_bytes"``: size
        of the pickled network, of the model's ONNX file, and of that file zipped;
        ``"python_us_1"``, ``"python_us_32"``, ``"python_us_1024"`` and ``"onnx_us_1"``
        etc.: microseconds per row, by batch size. NaN if a model has no ONNX form.
    notes : list of str
        Reasons for missing values.

    See Also
    --------
    compression_report : Create a report.

    Examples
    --------
    >>> from sklearn_deep import CompressionReport
    >>> columns = {"parameters": [400, 100], "score": [0.981, 0.9755]}
    >>> print(CompressionReport(["dense", "small"], columns, []))
           parameters   score
    dense         400   0.981
    small         100  0.9755
    """

    names: list[str]
    columns: dict[str, Any]
    notes: list[str]

    def to_frame(self):
        """Convert the table to a DataFrame; needs pandas.

        Returns
        -------
        frame : DataFrame
            One row per model.
        """
        import pandas as pd

        return pd.DataFrame(self.columns, index=self.names)

    def __str__(self) -> str:
        table = [["", *self.columns]]
        for k, name in enumerate(self.names):
            cells = (_shown(column[k]) for column in self.columns.values())
            table.append([name, *cells])
        first, *others = (max(map(len, cells)) for cells in zip(*table, strict=True))
        lines = [
            "  ".join(
                [row[0].ljust(first)]
                + [cell.rjust(w) for cell, w in zip(row[1:], others, strict=True)]
            )
            for row in table
        ]
        return "\n".join([*lines, *self.notes])


def _shown(value: Any) -> str:
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.4g}"


def compression_report(models, X, y=None, *, names=None, scoring=None, n_threads=1):
    """Compare the size, the score and the prediction time of fitted models.

    Parameters
    ----------
    models : sequence of estimators
        Fitted networks, compressions of them, or Pipelines or searches around either.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows for the scores, and for timing predictions of 1, 32 and 1,024 rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets for the scores.
    names : sequence of str, default=None
        Labels of the models; None for the names of their classes.
    scoring : str, callable or None, default=None
        Scorer; None for each model's own ``score``.
    n_threads : int, default=1
        Number of threads of onnxruntime. Those of torch are not changed.

    Returns
    -------
    report : CompressionReport
        The table.

    Raises
    ------
    ValueError
        If the numbers of names and models differ.

    See Also
    --------
    CompressionDisplay : Plot the report.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_deep import MLPClassifier, Sliced, compression_report
    >>> X, y = load_iris(return_X_y=True)
    >>> net = MLPClassifier((64,), max_epochs=10, random_state=0)
    >>> models = [net.fit(X, y), Sliced(net, keep=0.25).fit(X, y)]
    >>> report = compression_report(models, X, y, names=["dense", "sliced"])
    >>> report.columns["parameters"]
    array([515, 131])
    """
    models = list(models)
    names = [type(m).__name__ for m in models] if names is None else list(names)
    if len(names) != len(models):
        raise ValueError(
            f"compression_report got {len(models)} models and {len(names)} names."
        )
    notes: list[str] = []
    rows = []
    for name, model in zip(names, models, strict=True):
        check_is_fitted(model)
        score = check_scoring(model, scoring=scoring)(model, X, y)
        network = find_network(model, "compression_report")
        rows.append(
            {
                **_sizes(network),
                "score": score,
                "pickle_bytes": len(pickle.dumps(network)),
                **_python(model, X),
                **_onnx(name, model, X, n_threads, notes),
            }
        )
    every = dict.fromkeys(key for row in rows for key in row)
    columns = {key: np.array([row.get(key, np.nan) for row in rows]) for key in every}
    return CompressionReport(names, columns, notes)


def _sizes(network: Any) -> dict[str, float]:
    module = network.module_
    values = list(module.parameters()) or list(module.buffers())
    return {
        "parameters": sum(value.numel() for value in values),
        "nonzero": sum(int((value != 0).sum()) for value in values),
    }


def _python(model: Any, X: Any) -> dict[str, float]:
    predict = model.predict if hasattr(model, "predict") else model.transform
    return {
        f"python_us_{n}": _microseconds(predict, batch, n) for n, batch in _batches(X)
    }


def _onnx(
    name: str, model: Any, X: Any, n_threads: int, notes: list[str]
) -> dict[str, float]:
    """Size and prediction time of the ONNX file, if the model has one."""
    try:
        from sklearn_deep.export._to_onnx import to_onnx
        from sklearn_deep.serving._feeds import make_feeds
        from sklearn_deep.serving._session import OnnxSession
    except ImportError as error:
        note = _NEEDS_ONNX
        if is_about_onnx(error):
            note = f"no ONNX columns: {unsupported(str(error.name), error)}"
        elif not isinstance(error, ModuleNotFoundError):
            raise
        if note not in notes:
            notes.append(note)
        return {}
    try:
        content = to_onnx(model, _safe_indexing(X, slice(BATCHES[1]))).to_bytes()
    except OnnxExportError as error:
        notes.append(f"{name}: {error}")
        return {}
    opened = OnnxSession(content, n_threads, verify=True)
    run, times = partial(opened.session.run, None), {}
    for n, batch in _batches(X):
        feeds = make_feeds(batch, opened.metadata)
        times[f"onnx_us_{n}"] = _microseconds(run, feeds, n)
    zipped = len(zlib.compress(content, 9))
    return {"onnx_bytes": len(content), "zipped_bytes": zipped, **times}


def _batches(X: Any) -> Sequence[tuple[int, Any]]:
    """Batches of each size, with rows of X repeated if there are too few."""
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    return [(n, _safe_indexing(X, np.arange(n) % n_rows)) for n in BATCHES]


def _microseconds(call: Callable[[Any], Any], batch: Any, n: int) -> float:
    """Time per row in the fastest of several calls."""
    call(batch)
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < _FEWEST or time.perf_counter() - begin < _SECONDS:
        start = time.perf_counter()
        call(batch)
        times.append(time.perf_counter() - start)
    return min(times) / n * 1e6
