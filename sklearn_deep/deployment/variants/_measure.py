"""What a file costs and is worth: its bytes, its time per row, its score."""

import hashlib
import statistics
import time
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing

from sklearn_deep.serving._estimators import OnnxClassifier, OnnxRegressor
from sklearn_deep.serving._feeds import make_feeds
from sklearn_deep.serving._session import OnnxSession
from sklearn_deep.serving._variants import Variant

# Predictions are timed for at least so many seconds and calls.
_SECONDS, _FEWEST = 0.1, 20

_READERS = {"classifier": OnnxClassifier, "regressor": OnnxRegressor}


def measure(
    name: str, content: bytes, X: Any, y: Any, scoring: Any, batch_size: int
) -> Variant:
    """Score the file of a variant on rows, and time it by one thread."""
    opened = OnnxSession(content, 1, verify=True)
    reader = _READERS[opened.metadata["task"]](content, n_threads=1)
    return Variant(
        name=name,
        file=f"{name}.onnx",
        bytes=len(content),
        microseconds=_microseconds(opened, X, batch_size),
        score=float(check_scoring(reader, scoring=scoring)(reader, X, y)),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _microseconds(opened: OnnxSession, X: Any, batch_size: int) -> float:
    """Median time per row of predictions of ``batch_size`` rows at once."""
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    batch = _safe_indexing(X, np.arange(batch_size) % n_rows)
    feeds = make_feeds(batch, opened.metadata)
    opened.session.run(None, feeds)
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < _FEWEST or time.perf_counter() - begin < _SECONDS:
        start = time.perf_counter()
        opened.session.run(None, feeds)
        times.append(time.perf_counter() - start)
    return statistics.median(times) / batch_size * 1e6
