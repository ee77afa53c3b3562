"""Setting rows aside for validation."""

import numpy as np
from sklearn.model_selection import (
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedShuffleSplit,
)

# With fewer different rows to hold out, copies are split like other rows.
FEWEST_DIFFERENT = 10


def validation_split(
    n_samples: int,
    fraction: float,
    random_state,
    stratify: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers into a training and a validation part.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    fraction : float
        Share of the rows that is set aside, in (0, 1).
    random_state : int or RandomState
        Seed of the split.
    stratify : ndarray of shape (n_samples,), optional
        Classes whose shares both parts keep. Classes of a single row stay in the
        training part; with fewer rows to set aside than classes, the split is plain.
    groups : ndarray of shape (n_samples,), optional
        Rows of one group stay together; takes precedence over ``stratify``.

    Returns
    -------
    train, validation : ndarray of int
        Sorted row numbers.

    Raises
    ------
    ValueError
        When one of the parts would be empty.
    """
    n_aside = round(fraction * n_samples)
    if groups is not None:
        return _by_group(groups, fraction, random_state)
    if n_aside < 1 or n_aside >= n_samples:
        raise ValueError(
            f"validation_fraction={fraction} of n_samples={n_samples} leaves"
            f" {'no row for validation' if n_aside < 1 else 'no row to train on'}: the"
            " validation part is empty or everything. Change validation_fraction, pass"
            " X_val and y_val, or set early_stopping=False."
        )
    rows = np.arange(n_samples)
    if stratify is not None:
        _, codes, counts = np.unique(stratify, return_inverse=True, return_counts=True)
        alone = counts[codes] < 2
        splittable, n_classes = rows[~alone], int((counts >= 2).sum())
        if n_aside >= n_classes > 0 and len(splittable) - n_aside >= n_classes:
            splitter = StratifiedShuffleSplit(
                1, test_size=n_aside, random_state=random_state
            )
            train, aside = next(splitter.split(splittable, codes[~alone]))
            train = np.concatenate([splittable[train], rows[alone]])
            return np.sort(train), np.sort(splittable[aside])
    splitter = ShuffleSplit(1, test_size=n_aside, random_state=random_state)
    train, aside = next(splitter.split(rows))
    return np.sort(train), np.sort(aside)


def split_without_copies(
    numbers: np.ndarray,
    fraction: float,
    random_state,
    stratify: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers; copies are all in the training part or all in the other.

    Parameters
    ----------
    numbers : ndarray of shape (n_samples,)
        Copies have the same number, as :func:`copies` gives them.
    fraction, random_state, stratify
        As in :func:`validation_split`; copies have the same class.

    Returns
    -------
    train, validation : ndarray of int
        Sorted row numbers. The validation part has the share of the different rows, and
        no row whose copies would be more than half of it.
    """
    n_samples = len(numbers)
    _, first, row, counts = np.unique(
        numbers, return_index=True, return_inverse=True, return_counts=True
    )
    n_aside = round(fraction * len(first))
    light = np.flatnonzero(counts <= max(1, fraction * n_samples / 2))
    if len(first) == n_samples or not FEWEST_DIFFERENT <= n_aside < len(light):
        return validation_split(n_samples, fraction, random_state, stratify)
    light = light[np.argsort(first[light])]  # as they come, whatever their numbers
    classes = None if stratify is None else stratify[first[light]]
    share = n_aside / len(light)
    _, aside = validation_split(len(light), share, random_state, classes)
    held_out = np.isin(row, light[aside])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _by_group(groups, fraction, random_state) -> tuple[np.ndarray, np.ndarray]:
    groups = np.asarray(groups)
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"groups needs at least 2 groups to set one aside, got {n_groups}."
        )
    n_aside = min(max(1, round(fraction * n_groups)), n_groups - 1)
    splitter = GroupShuffleSplit(1, test_size=n_aside, random_state=random_state)
    train, aside = next(splitter.split(groups, groups=groups))
    return np.sort(train), np.sort(aside)
