"""Which rows validate a fit, and which its features learn from: by a hash of their place.

A row is in the same part in every pass, wherever its chunk begins and ends.
"""

from dataclasses import dataclass

import numpy as np

_BLOCK = 1 << 20


def hashes(places: np.ndarray, seed: int) -> np.ndarray:
    """Give every place a number that looks random: Steele et al.'s SplitMix64.

    Parameters
    ----------
    places : ndarray of int of shape (n,)
    seed : int

    Returns
    -------
    ndarray of uint64 of shape (n,)
    """
    z = places.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64((seed * 0xD1342543DE82EF95 + 0x2545F4914F6CDD1D) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class Membership:
    """Parts of the rows of a source.

    Attributes
    ----------
    seed : int
    validation_below : int
        Rows with a smaller hash are validation rows.
    sample_below : int
        Training rows with a smaller hash are the sample that features learn from.
    """

    seed: int
    validation_below: int
    sample_below: int

    @classmethod
    def of(
        cls, n_rows: int, n_validation: int, n_sample: int, seed: int
    ) -> "Membership":
        """Choose the thresholds for parts of exactly these sizes."""
        n_sample = min(n_sample, n_rows - n_validation)
        smallest = _smallest(n_rows, n_validation + n_sample, seed)
        return cls(
            seed, _above(smallest, n_validation), _above(smallest, len(smallest))
        )

    def validation_places(self, n_rows: int) -> np.ndarray:
        """Places of the validation rows, sorted."""
        starts = range(0, n_rows, _BLOCK)
        found = [self.split(s, min(_BLOCK, n_rows - s))[0] + s for s in starts]
        return np.concatenate(found)

    def split(self, start: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row numbers within a chunk: validation rows, training rows, and their sample.

        Parameters
        ----------
        start : int
            Place of the chunk's first row.
        n : int
            Number of its rows.
        """
        of_rows = hashes(np.arange(start, start + n), self.seed)
        validation = of_rows < self.validation_below
        sample = ~validation & (of_rows < self.sample_below)
        parts = validation, ~validation, sample
        return tuple(np.flatnonzero(part) for part in parts)  # type: ignore[return-value]


def _smallest(n_rows: int, k: int, seed: int) -> np.ndarray:
    """The ``k`` smallest hashes of the places of all rows, sorted."""
    found = np.empty(0, np.uint64)
    for start in range(0, n_rows, _BLOCK):
        of_block = hashes(np.arange(start, min(start + _BLOCK, n_rows)), seed)
        if len(found) >= k:
            of_block = of_block[of_block < found[-1:].max(initial=0)]
        found = np.sort(np.concatenate([found, of_block]))[:k]
    return found


def _above(smallest: np.ndarray, k: int) -> int:
    """A number above the ``k`` smallest hashes, and above no other."""
    return int(smallest[k - 1]) + 1 if k else 0
