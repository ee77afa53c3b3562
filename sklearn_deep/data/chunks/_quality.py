"""How well the batches of an epoch represent all rows."""

import numpy as np
import torch

from sklearn_deep.data._batches import Batch

# A batch varies more than a random one by more than this share of the variance of all
# rows: networks learn the order of the file.
_BAD = 0.8
# Fewer batches than this differ by chance.
_ENOUGH = 20


class ShuffleMeter:
    """Compares batches with all rows, on y and on the place in the source.

    The quality is one minus the share of the variance that lies between batches (the
    intraclass correlation): 1 where batches are as if drawn at random, 0 where each has
    equal rows.

    Parameters
    ----------
    n_rows : int
        Number of rows of the source.
    n_classes : int or None
        Number of classes where y is a class code.
    """

    def __init__(self, n_rows: int, n_classes: int | None):
        self._n_rows, self._n_classes = max(1, n_rows), n_classes
        self._sums: dict[str, _Variances] = {"y": _Variances(), "place": _Variances()}

    def add(self, batch: Batch, place: torch.Tensor) -> None:
        """Note a batch."""
        self._sums["place"].add((place.double() / self._n_rows)[:, None])
        y = batch.y
        if self._n_classes is not None and y.ndim == 1:
            counts = torch.bincount(y, minlength=self._n_classes).double()
            self._sums["y"].add_moments(counts, counts, len(y))
        else:
            self._sums["y"].add(y.double().reshape(len(y), -1))

    @property
    def is_bad(self) -> bool:
        """Whether batches represent the targets of all rows badly."""
        enough = self._sums["y"].n_batches >= _ENOUGH
        return enough and self.quality()["y"] < _BAD

    def quality(self) -> dict[str, float]:
        """The quality so far, on ``"y"`` and on ``"place"``."""
        return {name: sums.quality() for name, sums in self._sums.items()}


class _Variances:
    """Sums from which the variance between batches and that of all rows follow."""

    def __init__(self) -> None:
        self._n, self.n_batches = 0, 0
        self._total: np.ndarray | float = 0.0
        self._squares: np.ndarray | float = 0.0
        self._between: np.ndarray | float = 0.0

    def add(self, values: torch.Tensor) -> None:
        """Note the rows of a batch, of shape (n, n_columns)."""
        self.add_moments(values.sum(0), values.square().sum(0), len(values))

    def add_moments(self, total: torch.Tensor, squares: torch.Tensor, n: int) -> None:
        """Note a batch of ``n`` rows by its sums."""
        sums = total.cpu().numpy()
        self._total = self._total + sums
        self._squares = self._squares + squares.cpu().numpy()
        self._between = self._between + sums**2 / n
        self._n, self.n_batches = self._n + n, self.n_batches + 1

    def quality(self) -> float:
        """One minus the intraclass correlation, by an analysis of variance."""
        k, n = self.n_batches, self._n
        if k < 2 or n <= k:
            return 1.0
        correction = np.asarray(self._total) ** 2 / n
        between = float(np.sum(self._between - correction)) / (k - 1)
        within = float(np.sum(np.asarray(self._squares) - self._between)) / (n - k)
        each = n / k
        whole = between + (each - 1) * within
        if whole <= 0:
            return 1.0
        return float(np.clip(1.0 - (between - within) / whole, 0.0, 1.0))
