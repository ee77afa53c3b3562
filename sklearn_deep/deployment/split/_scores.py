"""Scores of the whole and of its halves after each other."""

from typing import Any

from sklearn.metrics import check_scoring

from sklearn_deep.deployment.split._whole import Whole
from sklearn_deep.serving._estimators import OnnxClassifier, OnnxRegressor

_READERS = {"classifier": OnnxClassifier, "regressor": OnnxRegressor}


class Scores:
    """Measures what a cut loses.

    Parameters
    ----------
    whole : Whole
    y : array-like or None
        Targets; None takes the predictions of the whole.
    scoring : str, callable or None
    """

    def __init__(self, whole: Whole, y: Any, scoring: Any) -> None:
        self._whole, self._scoring = whole, scoring
        reader = self._reader(None)
        self._y = reader.predict(whole.X) if y is None else y
        self.whole = self._score(reader)

    def of(self, joined: Any) -> float:
        """Score of both halves, as one graph."""
        return self._score(self._reader(joined))

    def drop(self, joined: Any) -> float:
        """How much lower the halves score than the whole."""
        return self.whole - self.of(joined)

    def _reader(self, proto: Any) -> Any:
        kind = _READERS[self._whole.metadata["task"]]
        # The graph is our own, and may have operators of a user's own layers.
        return kind(self._whole.export(proto).to_bytes(), verify=False)

    def _score(self, reader: Any) -> float:
        scorer = check_scoring(reader, scoring=self._scoring)
        return float(scorer(reader, self._whole.X, self._y))
