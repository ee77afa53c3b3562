"""Frames and arrays as they are: numbers, text, categories, dates, missing values."""

import warnings
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from sklearn_deep.data._column_kinds import (
    CATEGORY,
    MISSING,
    TEXT,
    accepts,
    categorical_mask,
    feature_kind,
    label,
    other_kind,
)
from sklearn_deep.data._column_table import ColumnTable, read_table
from sklearn_deep.data._columns import refuse_repeated_names
from sklearn_deep.data._features import Features, stand_in, with_columns
from sklearn_deep.data._frame_encoding import EncodedRows, FrameEncoding
from sklearn_deep.data._frame_readers import (
    FrameReader,
    is_frame,
    names_of,
    reader_of,
    reader_of_row,
)
from sklearn_deep.data._layout import TabularLayout
from sklearn_deep.data._lazy_rows import refuse_lazy
from sklearn_deep.data._learnt_columns import CategoryColumn
from sklearn_deep.data._row_view import RowView
from sklearn_deep.exceptions import TrainingWarning

# Text of which more than this fraction of the rows is distinct, among more than this many
# rows, may be an identifier.
_IDENTIFIER_SHARE, _IDENTIFIER_ROWS = 0.5, 100


class FrameFeatures(Features):
    """Columns of any kind, which become numbers by what the training rows tell.

    ``check`` gives a ``ColumnTable``; ``learn`` learns from its training rows and encodes
    all of it; from then on ``check`` and ``encode`` give encoded rows.

    Parameters
    ----------
    owner : str
    categorical_features : "from_dtype", None or array-like of bool, int or str
        Categories among the columns, see ``categorical_mask``.
    max_one_hot : int
        Categories with at most this many values have a column per value; others have
        one column of codes.
    clip : float
        Bound of scaled numbers, in standard deviations.

    Attributes
    ----------
    kinds : tuple of str
        Kind of each column.
    is_categorical : ndarray of shape (n_features,), bool
    encoding : FrameEncoding or None
        What was learnt; None before ``learn``.
    """

    kinds: tuple[str, ...]
    is_categorical: np.ndarray
    encoding: FrameEncoding | None = None

    def __init__(
        self,
        owner: str,
        categorical_features: Any = "from_dtype",
        max_one_hot: int = 8,
        clip: float = 8.0,
    ):
        super().__init__(owner)
        self.categorical_features = categorical_features
        self.max_one_hot, self.clip = max_one_hot, clip

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        """Validate rows, and targets unless ``y`` is None.

        Returns
        -------
        X, or (X, y) where y is not None
            Encoded rows; a ``ColumnTable`` before ``learn``.
        """
        if not isinstance(X, EncodedRows):
            if not isinstance(X, ColumnTable):
                X = self._first_table(X, dtype) if reset else self._table(X, dtype)
            if self.encoding is not None:
                X = self.encoding.encode(X, self.owner)
        if y is None:
            return X
        y = check_array(
            y,
            accept_sparse="csr",
            ensure_2d=False,
            dtype=None,
            input_name="y",
            estimator=stand_in(self),
        )
        check_consistent_length(X, y)
        return X, y

    def learn(self, X: Any, rows: Any, weight: Any = None) -> Any:
        """Learn scaling and categories from the training rows, and encode all rows.

        Parameters
        ----------
        X : ColumnTable
            What ``check`` gave.
        rows : ndarray of int or None
            The training rows; None for all of them.
        weight : ndarray of shape (n_training_rows,) or None
            Rows of weight 0 are no training rows.
        """
        if weight is not None and not weight.all():
            present = np.flatnonzero(weight)
            rows = present if rows is None else rows[present]
            weight = weight[present]
        encoding = FrameEncoding.learn(
            X,
            rows,
            weight,
            self.kinds,
            self._names,
            self.max_one_hot,
            self.clip,
        )
        self._check_categories(encoding, len(X) if rows is None else len(rows), X.dtype)
        self.encoding = encoding
        return encoding.encode(X, self.owner)

    def layout(self, X: Any) -> TabularLayout:
        """Describe an encoded row."""
        assert self.encoding is not None
        return self.encoding.layout

    def texts(self) -> list[str]:
        """Categories that are strings."""
        columns = () if self.encoding is None else self.encoding.columns
        values = (c.categories.values for c in columns if isinstance(c, CategoryColumn))
        return [value for each in values for value in each if isinstance(value, str)]

    def _first_table(self, X: Any, dtype: Any) -> ColumnTable:
        """Find out what the columns are, and read them."""
        reader = self._reader(X, reset=True)
        places = range(reader.shape[1])
        found = [reader.kind(place) for place in places]
        names = self._names
        shown = names_of(X) if is_frame(X) else None
        mask = categorical_mask(self.categorical_features, found, shown)
        self.kinds = tuple(
            feature_kind(found[j], bool(mask[j]), label(names, j), self.owner)
            for j in places
        )
        self.is_categorical = mask
        numbers = [j for j in places if not mask[j]]
        natural = reader.dtype_of_numbers(numbers)
        dtype = _compute_dtype(dtype, natural)
        return read_table(reader, self.kinds, names, dtype, self.owner)

    def _table(self, X: Any, dtype: Any) -> ColumnTable:
        """Read columns like those of the fit."""
        reader = self._reader(X, reset=False)
        kinds = [
            fitted
            if fitted == CATEGORY or accepts(fitted, found := reader.kind(place))
            else self._refuse_unless_missing(reader, place, fitted, found)
            for place, fitted in enumerate(self.kinds)
        ]
        return read_table(reader, kinds, self._names, np.dtype(dtype), self.owner)

    def _refuse_unless_missing(
        self, reader: FrameReader, place: int, fitted: str, found: str
    ) -> str:
        """Columns without any value have whatever dtype."""
        if (reader.codes(place)[0] < 0).all():
            return MISSING
        raise other_kind(fitted, found, label(self._names, place), self.owner)

    def _reader(self, X: Any, *, reset: bool) -> FrameReader:
        """Check shape and names, and open X."""
        refuse_lazy(X, self.owner)
        if not is_frame(X):
            return reader_of(self._array(X, reset))
        if reset:
            refuse_repeated_names(X, self.owner)
        if reset or self._names != names_of(X):
            with_columns(self, X, reset=reset, skip_check_array=True)
        for n, what in zip(X.shape, ("sample", "feature"), strict=True):
            if n == 0:
                raise ValueError(
                    f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of"
                    f" 1 is required by {self.owner}."
                )
        if len(X) > 1 or reset:
            return reader_of(X)
        return reader_of_row(X, of_objects=CATEGORY in self.kinds)

    @property
    def _names(self) -> list[Any] | None:
        names = self.feature_names_in
        return None if names is None else names.tolist()

    def _array(self, X: Any, reset: bool) -> np.ndarray:
        """X as a 2-D array; lists give an object array, so that items keep their types."""
        if isinstance(X, (list, tuple)):
            X = _as_array(X)
        elif isinstance(X, RowView):
            X = np.asarray(X)
        if not reset and self._is_like_fitted(X):
            return X
        return with_columns(self, X, reset=reset, dtype=None, ensure_all_finite=False)

    def _is_like_fitted(self, X: Any) -> bool:
        """Whether X is an array whose shape and names need no check."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.kind in "fiubOU"
            and len(X) > 0
            and X.shape[1] == self.n_features_in
            and self.feature_names_in is None
        )

    def _check_categories(
        self, encoding: FrameEncoding, n_rows: int, dtype: np.dtype
    ) -> None:
        """Warn of identifiers; raise for codes that the dtype cannot hold."""
        for column in encoding.columns:
            if not isinstance(column, CategoryColumn):
                continue
            n_values = len(column.categories)
            where = label(self._names, column.place)
            if n_values >= 2 ** (np.finfo(dtype).nmant + 1):
                raise ValueError(
                    f"The {where} of X of {self.owner} has {n_values} distinct values,"
                    f" more than {dtype} tells apart. Leave the column out, or set"
                    " dtype='float64'."
                )
            if n_rows > _IDENTIFIER_ROWS and n_values > _IDENTIFIER_SHARE * n_rows:
                self._warn_of_identifier(column, where, n_rows)

    def _warn_of_identifier(
        self, column: CategoryColumn, where: str, n_rows: int
    ) -> None:
        if column.categories.kind != TEXT:
            return
        warnings.warn(
            f"The {where} of X of {self.owner} looks like an identifier: its text has"
            f" {len(column.categories)} distinct values in {n_rows} rows. As a category"
            " it tells nothing of other rows. Leave the column out, or make features of"
            " it, e.g. with a TfidfVectorizer in a ColumnTransformer.",
            TrainingWarning,
            stacklevel=2,
        )


def _as_array(X: Any) -> Any:
    """Lists as an array of objects: NumPy would make text of numbers beside text."""
    objects = np.array(X, dtype=object) if _is_rectangular(X) else X
    # scikit-learn says what is wrong with other lists.
    return objects if isinstance(objects, np.ndarray) and objects.ndim == 2 else X


def _is_rectangular(X: Any) -> bool:
    try:
        return len({len(row) for row in X}) == 1
    except TypeError:
        return False


def _compute_dtype(asked: Any, natural: np.dtype) -> np.dtype:
    """The dtype of encoded rows; of several that are allowed, the one of the columns."""
    if not isinstance(asked, list):
        return np.dtype(asked)
    return natural if natural in asked else np.dtype(asked[0])
