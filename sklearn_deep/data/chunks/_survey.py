"""What one pass over all rows tells of the targets, and the rows that it sets aside."""

from typing import Any

import numpy as np

from sklearn_deep.data._missing import refuse_missing_targets
from sklearn_deep.data._tasks import Classification, Task
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.data.chunks._containers import rows_at
from sklearn_deep.data.chunks._data import Chunk, together
from sklearn_deep.data.chunks._membership import Membership


class Survey:
    """Counts and moments of the targets, the validation rows, and a sample of the others.

    Parameters
    ----------
    task : Task
    membership : Membership

    Attributes
    ----------
    n_rows : int
        Number of training rows; those of weight zero are none.
    weight_sum : float
        Sum of their weights.
    weighted : bool
        Whether rows have weights.
    """

    def __init__(self, task: Task, membership: Membership):
        self._task, self.membership = task, membership
        self._owner = task.settings.owner
        self.n_rows, self.weight_sum, self.weighted = 0, 0.0, False
        self._labels: dict[Any, np.ndarray] = {}
        self._moments: _Moments | None = None
        self._parts: dict[str, list[Chunk]] = {"validation": [], "sample": []}

    def see(self, chunk: Chunk) -> Chunk | None:
        """Note a chunk; give its training rows, or None where it has none."""
        if chunk.y is None:
            raise ValueError(
                f"{self._owner} requires y to be passed, but the target y is None: name"
                " the column of the source, or let each chunk be (X, y)."
            )
        refuse_missing_targets(chunk.y, self._owner)
        y = self._task.check(chunk.y)
        weight = chunk_weight(chunk.weight, len(chunk))
        chunk = Chunk(chunk.X, y, weight, chunk.start)
        self._note_labels(y)
        validation, train, sample = self.membership.split(chunk.start, len(chunk))
        if weight is not None:
            self.weighted = True
            validation, train, sample = (
                rows[weight[rows] > 0] for rows in (validation, train, sample)
            )
        for name, rows in (("validation", validation), ("sample", sample)):
            if len(rows):
                self._parts[name].append(take(chunk, rows))
        return self._note_training(take(chunk, train)) if len(train) else None

    @property
    def classes(self) -> np.ndarray | None:
        """Sorted labels of all rows; None where rows have no single label."""
        if not self._labels:
            return None
        return np.unique(np.array(list(self._labels)))

    @property
    def class_sums(self) -> np.ndarray:
        """Number, or sum of weights, of the training rows of each class."""
        assert self.classes is not None
        return np.array([self._labels[label][0] for label in self.classes.tolist()])

    @property
    def moments(self) -> "_Moments | None":
        """Moments of numeric targets of the training rows."""
        return self._moments

    def part(self, name: str) -> Chunk | None:
        """The rows set aside, "validation" or "sample"; None where there are none."""
        parts = self._parts[name]
        if len(parts) > 1:
            self._parts[name] = parts = [together(parts)]
        return parts[0] if parts else None

    def _note_labels(self, y: np.ndarray) -> None:
        if isinstance(self._task, Classification) and y.ndim == 1:
            for label in np.unique(y).tolist():
                self._labels.setdefault(label, np.zeros(1))

    def _note_training(self, chunk: Chunk) -> Chunk:
        y, weight = chunk.y, chunk.weight
        self.n_rows += len(y)
        self.weight_sum += len(y) if weight is None else float(weight.sum())
        if not isinstance(self._task, Classification):
            moments = _Moments.of(y, weight)
            self._moments = moments.joined(self._moments)
        elif y.ndim == 1:
            labels, codes = np.unique(y, return_inverse=True)
            sums = np.bincount(codes, weight, minlength=len(labels))
            for label, mass in zip(labels.tolist(), sums, strict=True):
                self._labels[label] += mass
        return chunk


class _Moments:
    """Mean and sum of squared deviations of columns, as Chan et al. join them."""

    def __init__(self, mass: float, mean: np.ndarray, square: np.ndarray):
        self.mass, self.mean, self.square = mass, mean, square

    @classmethod
    def of(cls, y: np.ndarray, weight: np.ndarray | None) -> "_Moments":
        columns = y.reshape(len(y), -1).astype(np.float64, copy=False)
        w = np.ones(len(y)) if weight is None else weight
        mean = np.average(columns, axis=0, weights=w)
        return cls(float(w.sum()), mean, w @ (columns - mean) ** 2)

    def joined(self, other: "_Moments | None") -> "_Moments":
        if other is None:
            return self
        mass = self.mass + other.mass
        gap = self.mean - other.mean
        mean = other.mean + gap * (self.mass / mass)
        between = gap**2 * (self.mass * other.mass / mass)
        return _Moments(mass, mean, self.square + other.square + between)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of each column."""
        return np.sqrt(self.square / self.mass)


def chunk_weight(weight: Any, n: int) -> np.ndarray | None:
    """Validated weights of a chunk, all of which may be zero."""
    if weight is None:
        return None
    values = np.asarray(weight)
    if values.shape == (n,) and values.dtype.kind in "biuf" and not values.any():
        return np.zeros(n)
    return check_sample_weight(weight, n)


def take(chunk: Chunk, rows: np.ndarray) -> Chunk:
    """Some rows of a chunk; the place of the first of all stays."""
    if len(rows) == len(chunk):
        return chunk
    return chunk.each(lambda part: rows_at(part, rows), chunk.start)
