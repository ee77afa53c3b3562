"""Rows of X as the checks see them: columns of numbers, keys of equal rows, positions.

Every kind of X becomes three things. A *key* is equal for equal rows. A *position* is near
for rows that look or sound alike: scaled columns of a table, a small picture of an image,
an interpolated series, counts of letters of a text. *Columns* are there for tables only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.random_projection import SparseRandomProjection

from sklearn_deep.data._column_kinds import (
    BOOLEAN,
    CATEGORY,
    DURATION,
    NUMBER,
    OTHER,
    TEXT,
    TIME,
)
from sklearn_deep.data._column_kinds import MISSING as NOTHING
from sklearn_deep.data._columns import refuse_repeated_names
from sklearn_deep.data._frame_readers import FrameReader, is_frame, names_of, reader_of
from sklearn_deep.data._rows import row_hashes
from sklearn_deep.data._sequences import is_text, join, sequences_in

OWNER = "check_data"
TABLE, IMAGES, SERIES, TEXTS = "table", "images", "series", "texts"

# Sides of the small picture of an image, and steps of an interpolated series.
_SIDE, _STEPS = 8, 32

# Letters of a text are counted in so many bins, which are projected to fewer.
_BINS, _TEXT_WIDTH = 2**14, 64

# An array (n, a, b) holds images where both sides are that long, and series else.
_SHORTEST_SIDE, _LARGEST_RATIO = 12, 4

# Sparse matrices become dense up to so many cells.
_MOST_CELLS = 10**8


@dataclass(frozen=True)
class Rows:
    """What the checks know of the rows of one X.

    Attributes
    ----------
    kind : str
        "table", "images", "series" or "texts".
    keys : ndarray of shape (n_rows,)
        Integers; equal rows share one.
    positions : ndarray of shape (n_rows, n_dimensions), float32
    columns : ndarray of shape (n_rows, n_columns)
        Columns of a table: numbers, times in microseconds, codes of categories; NaN where
        a value is missing. Of width 0 for other kinds.
    categorical : ndarray of shape (n_columns,), bool
    integers : ndarray of shape (n_columns,), bool
        Which columns hold whole numbers only.
    continuous : ndarray of shape (n_columns,), bool
        Numbers that hardly come twice.
    names : list or None
        Names of the columns of a frame.
    index : object
        Labels of the rows of a pandas frame; None for other X.
    """

    kind: str
    keys: np.ndarray
    positions: np.ndarray
    columns: np.ndarray
    categorical: np.ndarray
    integers: np.ndarray
    continuous: np.ndarray
    names: list[Any] | None = None
    index: Any = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def n_columns(self) -> int:
        """Columns of a table; 0 for other kinds."""
        return self.columns.shape[1]

    def label(self, column: int) -> str:
        """Name or place of a column, for sentences."""
        return repr(self.names[column]) if self.names is not None else str(int(column))


def read(X: Any, X_test: Any = None) -> tuple[Rows, Rows | None]:
    """Read X, and rows of a test set in the same codes, keys and positions.

    Raises
    ------
    ValueError
        For infinite values, unequal columns, or an array of one or of five dimensions.
    """
    parts = [X] if X_test is None else [X, X_test]
    if _is_table(X):
        return _paired(_tables(parts))
    sequences = [sequences_in(part) for part in parts]
    if sequences[0] is not None:
        if any(items is None for items in sequences):
            raise ValueError(f"X of {OWNER} holds sequences, and X_test does not.")
        return _paired(_sequences(parts, sequences))
    arrays = [np.asarray(part) for part in parts]
    if arrays[0].ndim == 2:
        return _paired(_tables(arrays))
    return _paired(_grids(arrays))


def _paired(rows: list[Rows]) -> tuple[Rows, Rows | None]:
    return rows[0], rows[1] if len(rows) > 1 else None


def _is_table(X: Any) -> bool:
    return sp.issparse(X) or (is_frame(X) and sequences_in(X) is None)


def _tables(parts: list[Any]) -> list[Rows]:
    parts = [_dense(part) for part in parts]
    names = names_of(parts[0]) if is_frame(parts[0]) else None
    _refuse_other_columns(parts, names)
    readers = [reader_of(part) for part in parts]
    kinds = [readers[0].kind(j) for j in range(parts[0].shape[1])]
    blocks = [np.empty(part.shape) for part in parts]
    for j, kind in enumerate(kinds):
        for block, values in zip(blocks, _column(readers, j, kind), strict=True):
            block[:, j] = values
    for part, block in zip(("X", "X_test"), blocks, strict=False):
        _refuse_infinity(block, part, names)
    categorical = np.array([_is_category(kind) for kind in kinds], bool)
    positions = _table_positions(blocks, categorical)
    return [
        Rows(
            TABLE,
            row_hashes(np.where(np.isnan(block), np.nan, block)),
            place,
            block,
            categorical,
            _whole(blocks[0]) & ~categorical,
            _hardly_repeat(blocks[0]) & ~categorical,
            names,
            getattr(part, "index", None) if hasattr(part, "iloc") else None,
        )
        for part, block, place in zip(parts, blocks, positions, strict=True)
    ]


def _dense(X: Any) -> Any:
    if not sp.issparse(X):
        return X
    if X.shape[0] * X.shape[1] > _MOST_CELLS:
        raise ValueError(
            f"X of {OWNER} is a sparse matrix of {X.shape}, too large to be made dense."
            " Pass fewer rows, or its projection: TruncatedSVD(100).fit_transform(X)."
        )
    return X.toarray()


def _refuse_other_columns(parts: list[Any], names: list[Any] | None) -> None:
    if names is not None:
        refuse_repeated_names(parts[0], OWNER)
    if len(parts) == 1:
        return
    others = names_of(parts[1]) if is_frame(parts[1]) else None
    same_width = parts[1].ndim == 2 and parts[0].shape[1] == parts[1].shape[1]
    if not same_width or (names and others and names != others):
        raise ValueError(
            f"X_test of {OWNER} must have the columns of X, in their order: got"
            f" {others or parts[1].shape} and {names or parts[0].shape}."
        )


def _is_category(kind: str) -> bool:
    return kind in (CATEGORY, TEXT, OTHER)


def _column(readers: list[FrameReader], j: int, kind: str) -> list[np.ndarray]:
    """One column of each part, as floats."""
    if kind in (NUMBER, BOOLEAN):
        return [reader.numbers(j) for reader in readers]
    if kind in (TIME, DURATION):
        return [reader.microseconds(j) for reader in readers]
    if kind == NOTHING:
        return [np.full(reader.shape[0], np.nan) for reader in readers]
    return _codes([reader.codes(j) for reader in readers])


def _codes(parts: Sequence[tuple[np.ndarray, list[Any]]]) -> list[np.ndarray]:
    """Codes of categories, one number for one value in both parts."""
    numbers: dict[Any, int] = {}
    found = []
    for codes, distinct in parts:
        places = [numbers.setdefault(value, len(numbers)) for value in distinct]
        table = np.append(np.array(places, float), np.nan)  # code -1 is a missing value
        found.append(table[np.asarray(codes)])
    return found


def _refuse_infinity(block: np.ndarray, part: str, names: list[Any] | None) -> None:
    if not np.isinf(block).any():
        return
    row, column = np.argwhere(np.isinf(block))[0]
    label = column if names is None else repr(names[column])
    raise ValueError(
        f"{part} of {OWNER} contains infinity in row {row}, column {label}. Replace it by a"
        " missing value: numpy.where(numpy.isinf(X), numpy.nan, X)."
    )


def _whole(block: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return ((block == np.round(block)) | np.isnan(block)).all(0)


def _hardly_repeat(block: np.ndarray) -> np.ndarray:
    """Which columns have more values than half of the rows with one."""
    return np.array(
        [
            2 * len(np.unique(c[~np.isnan(c)])) > (~np.isnan(c)).sum() > 0
            for c in block.T
        ],
        bool,
    )


def scaled_columns(block: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Columns of numbers in units of their spread in ``like``; missing ones as 0."""
    spread, centre = _spread(like)
    # Sentinels are no direction.
    return np.clip(np.nan_to_num((block - centre) / spread), -50, 50).astype(np.float32)


def _table_positions(
    blocks: list[np.ndarray], categorical: np.ndarray
) -> list[np.ndarray]:
    """Numbers in units of their spread in X, and one-hot categories."""
    numbers = [block[:, ~categorical] for block in blocks]
    scaled = [scaled_columns(part, numbers[0]) for part in numbers]
    one_hot = _one_hot([block[:, categorical] for block in blocks])
    pairs = zip(scaled, one_hot, strict=True)
    return [np.concatenate(pair, axis=1).astype(np.float32) for pair in pairs]


def _spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance between the quartiles, or the deviation where that is 0; and the median."""
    if not values.size:
        return np.ones(values.shape[1]), np.zeros(values.shape[1])
    filled = np.where(np.isnan(values).all(0), 0.0, values)
    low, centre, high = np.nanquantile(filled, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high > low, (high - low) / 1.35, np.nanstd(filled, axis=0))
    return np.where(spread > 0, spread, 1.0), centre


_MOST_CATEGORIES = 50


def _one_hot(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Indicators at a distance of 1 from one another; rare categories share bins."""
    columns: list[list[np.ndarray]] = [[np.empty((len(part), 0))] for part in parts]
    for j in range(parts[0].shape[1]):
        top = np.nanmax(np.concatenate([p[:, j] for p in parts] + [[0.0]]))
        bins = min(int(top) + 1, _MOST_CATEGORIES)
        for found, part in zip(columns, parts, strict=True):
            codes = np.nan_to_num(part[:, j], nan=bins).astype(int)
            codes = np.where(np.isnan(part[:, j]), bins, codes % bins)
            found.append(np.eye(bins + 1)[codes] * np.sqrt(0.5))
    return [np.concatenate(found, axis=1) for found in columns]


def _grids(arrays: list[np.ndarray]) -> list[Rows]:
    """Images or series in arrays of three or four dimensions."""
    shape = arrays[0].shape
    if arrays[0].ndim not in (3, 4):
        raise ValueError(
            f"X of {OWNER} has shape {shape}: it must be a table (n, columns), series"
            " (n, time, channels), images (n, height, width[, channels]), or a list of"
            " sequences or texts."
        )
    if len(arrays) > 1 and arrays[1].shape[1:] != shape[1:]:
        raise ValueError(
            f"X_test of {OWNER} has rows of shape {arrays[1].shape[1:]}, and X of"
            f" {shape[1:]}."
        )
    kind = IMAGES if _holds_images(shape) else SERIES
    flat = [np.asarray(a.reshape(len(a), -1), float) for a in arrays]
    for part, block in zip(("X", "X_test"), flat, strict=False):
        _refuse_infinity(block, part, None)
    place = _pictures if kind == IMAGES else _series
    return [
        _plain(kind, row_hashes(values), place(np.nan_to_num(array.astype(float))))
        for array, values in zip(arrays, flat, strict=True)
    ]


def _holds_images(shape: tuple[int, ...]) -> bool:
    if len(shape) == 4:
        return True
    short, long = sorted(shape[1:])
    return short >= _SHORTEST_SIDE and long <= _LARGEST_RATIO * short


def _plain(kind: str, keys: np.ndarray, positions: np.ndarray) -> Rows:
    none = np.zeros(0, bool)
    empty = np.empty((len(keys), 0))
    return Rows(kind, keys, positions.astype(np.float32), empty, none, none, none)


def _pictures(images: np.ndarray) -> np.ndarray:
    """Small grey pictures of unit contrast: what a perceptual hash is made of."""
    if images.ndim == 4:
        last = images.shape[3] <= images.shape[1]
        images = images.mean(3 if last else 1)
    small = _shrink(_shrink(images, 1, _SIDE), 2, _SIDE).reshape(len(images), -1)
    centred = small - small.mean(1, keepdims=True)
    return centred / np.maximum(centred.std(1, keepdims=True), 1e-12)


def _series(series: np.ndarray) -> np.ndarray:
    """Few steps per channel, in units of the spread over all series."""
    axis = int(np.argmax(series.shape[1:])) + 1
    small = _shrink(series, axis, _STEPS).reshape(len(series), -1)
    return small / max(float(small.std()), 1e-12)


def _shrink(values: np.ndarray, axis: int, n: int) -> np.ndarray:
    """Means of ``n`` stretches of an axis; the axis itself where it is shorter."""
    length = values.shape[axis]
    if length <= n:
        return values
    starts = np.arange(n) * length // n
    sizes = np.diff(np.append(starts, length))
    shape = [1] * values.ndim
    shape[axis] = n
    return np.add.reduceat(values, starts, axis=axis) / sizes.reshape(shape)


def _sequences(parts: list[Any], sequences: list[Any]) -> list[Rows]:
    if is_text(sequences[0]):
        rows = _texts([[_joined(item) for item in items] for items in sequences])
    else:
        rows = [_ragged(items) for items in sequences]
    return [
        Rows(**{**vars(found), "index": getattr(part, "index", None)})
        if hasattr(part, "iloc")
        else found
        for part, found in zip(parts, rows, strict=True)
    ]


def _joined(item: Any) -> str:
    text = item if isinstance(item, str) else " ".join(map(str, item))
    return " ".join(text.lower().split())


def _texts(parts: list[list[str]]) -> list[Rows]:
    every = [text for part in parts for text in part]
    _, keys = np.unique(every, return_inverse=True)
    counts = HashingVectorizer(
        analyzer="char_wb", ngram_range=(3, 3), n_features=_BINS, alternate_sign=False
    ).transform(every)
    project = SparseRandomProjection(_TEXT_WIDTH, random_state=0, dense_output=True)
    positions = np.asarray(project.fit_transform(counts))
    edges = np.cumsum([len(part) for part in parts])[:-1]
    pieces = zip(np.split(keys, edges), np.split(positions, edges), strict=True)
    return [_plain(TEXTS, key, place) for key, place in pieces]


def _ragged(items: list[Any]) -> Rows:
    ragged = join(items, OWNER, "last")
    if not np.isfinite(np.asarray(ragged.values, float)).all():
        raise ValueError(f"X of {OWNER} contains NaN or infinity in a sequence.")
    arrays = np.split(ragged.values, ragged.offsets[1:-1])
    stretched = np.stack([_interpolated(np.asarray(a, float)) for a in arrays])
    small = stretched / max(float(stretched.std()), 1e-12)
    log_length = np.log1p(ragged.lengths)[:, None]
    positions = np.concatenate([small.reshape(len(small), -1), log_length], axis=1)
    return _plain(SERIES, row_hashes(ragged), positions)


def _interpolated(steps: np.ndarray) -> np.ndarray:
    if not len(steps):
        return np.zeros((_STEPS, steps.shape[1]))
    places = np.linspace(0, len(steps) - 1, _STEPS)
    grid = np.arange(len(steps))
    return np.stack([np.interp(places, grid, channel) for channel in steps.T], axis=1)
