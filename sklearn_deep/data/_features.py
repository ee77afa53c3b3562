"""What was learnt about X: which rows a network takes, and how they become its input.

A ``Features`` object learns from the rows of one fit and does not change afterwards. It
knows no estimator: parameters that it needs are given when it is made.
"""

import copy
from functools import cache, lru_cache
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sklearn_deep.data._columns import refuse_columns
from sklearn_deep.data._layout import Layout
from sklearn_deep.data._lazy_rows import refuse_lazy
from sklearn_deep.data._row_view import RowView


class Features:
    """Base of the kinds of X.

    Attributes
    ----------
    owner : str
        Name of the estimator, for errors.
    n_features_in : int or None
        Number of columns; None for sequences.
    feature_names_in : ndarray of shape (n_features,) or None
        Names of the columns of a frame.
    vocabulary : ndarray of shape (n_tokens,) or None
        Tokens that have codes of their own.
    by_step : bool
        Whether each step of a sequence has a target.
    of_tokens : bool
        Whether rows are sequences of tokens.
    analyzer : str
        How texts become tokens.
    """

    n_features_in: int | None = None
    feature_names_in: np.ndarray | None = None
    vocabulary: Any = None
    by_step: bool = False
    of_tokens: bool = False
    analyzer: str = ""

    # Which sparse format is taken, if any.
    _accept_sparse: ClassVar[str | bool] = False

    def __init__(self, owner: str):
        self.owner = owner

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        """Validate features, and targets unless ``y`` is None.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or sequences
        y : array-like or None
        dtype : dtype, or list of them
            The compute dtype; of several, the one of X or else the first.
        reset : bool
            Whether to learn from these rows; else they must be like those of the fit.

        Returns
        -------
        X, or (X, y) where y is not None
            Encoded features, but for tokens of a fit, which ``encode_tokens`` encodes.
        """
        checks = {"accept_sparse": self._accept_sparse}
        return check_data(self, X, y, dtype, reset=reset, **checks)

    def encode(self, X: Any, dtype: Any) -> Any:
        """Features as the network takes them; those that are encoded stay as they are."""
        return self.check(X, None, dtype, reset=False)

    def learn(self, X: Any, rows: Any, weight: Any = None) -> Any:
        """Learn from the training rows of checked features, and encode all rows.

        Parameters
        ----------
        X : what ``check`` gave
        rows : ndarray of int or None
            The training rows; None for all of them.
        weight : ndarray of shape (n_training_rows,) or None
        """
        return X

    def encode_tokens(self, X: Any, rows: Any) -> Any:
        """Learn a vocabulary from ``rows``, where rows are tokens, and encode X."""
        return X

    def layout(self, X: Any) -> Layout:
        """Describe a row of validated features."""
        return Layout.table(X.shape[1])

    def values(self, X: np.ndarray) -> np.ndarray:
        """Values of validated rows that an autoencoder reconstructs, (n, n_values)."""
        return X

    def sequences_in(self, X: Any) -> list | None:
        """The sequences that X holds after a fit; None for other rows."""
        return None

    def texts(self) -> list[str]:
        """Strings of a fit that no other value of a frame may be written as."""
        return []

    def without_names(self) -> Self:
        """A copy for rows that are arrays by now, whatever they came as."""
        twin = copy.copy(self)
        twin.feature_names_in = None
        return twin

    def without_steps(self) -> Self:
        """A copy for predictions of all steps, one sequence after the other."""
        twin = copy.copy(self)
        twin.by_step = False
        return twin


class TableFeatures(Features):
    """Rows of columns, dense or sparse."""

    _accept_sparse = "csr"


class ReconstructedTable(Features):
    """Dense rows of columns that are their own targets."""

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        """Validate rows; their values are the targets."""
        X = super().check(X, None, dtype, reset=reset)
        return X if y is None else (X, self.values(X))


class ModuleFeatures(Features):
    """Whatever a module of the user takes: arrays of any shape, or sparse rows."""

    _row_shape: tuple[int, ...]

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        """Validate rows; after the fit they must be of its shape."""
        checks: dict[str, Any] = {"accept_sparse": "csr", "allow_nd": True}
        checked = check_data(self, X, y, dtype, reset=reset, **checks)
        row_shape = (checked if y is None else checked[0]).shape[1:]
        if reset:
            self._row_shape = row_shape
        elif row_shape != self._row_shape:
            raise ValueError(
                f"{self.owner} was fitted with rows of shape {self._row_shape};"
                f" got X with rows of shape {row_shape}."
            )
        return checked

    def layout(self, X: Any) -> Layout:
        """Rows as torch has series and images: with the channels in front."""
        row_shape = tuple(X.shape[1:])
        return Layout(row_shape, row_shape, channels_last=len(row_shape) == 1)


def check_data(
    features: "Features",
    X: Any,
    y: Any,
    dtype: Any,
    *,
    reset: bool,
    **checks: Any,
) -> Any:
    """Validate features, and targets unless ``y`` is None, in the compute dtype.

    ``checks`` are those of scikit-learn's ``check_array`` that a family has beside.

    Raises
    ------
    ValueError, TypeError
        For what scikit-learn refuses; numbers that overflow the dtype among it.
    """
    owner = features.owner
    if not isinstance(X, np.ndarray):  # the usual case
        refuse_lazy(X, owner)
    refuse_columns(X, owner)
    dtype = _seen_dtype(X, dtype)
    kwargs = {"reset": reset, "dtype": dtype, "order": "C", **checks}
    fold = X.in_dtype(dtype) if isinstance(X, RowView) and y is not None else None
    if fold is not None:  # its values are checked; the rest is, without a copy of them
        X, kwargs["order"] = fold.stand_in(), None
    # The overflow of a cast to float32 is found as an infinity, with a proper error.
    with np.errstate(over="ignore"):
        try:
            if y is None:
                checked = with_columns(features, X, **kwargs)
            else:
                checked = with_columns(features, X, y, multi_output=True, **kwargs)
        except (TypeError, ValueError) as error:
            for words, (kind, what) in _UNUSABLE.items():
                if words in str(error):
                    text = f"X of {owner} holds {what.format(error=error)}"
                    raise kind(text) from error
            raise
    shape = (checked if y is None else checked[0]).shape
    if 0 in shape[1:]:
        raise ValueError(
            f"X of {owner} has shape {shape}: its rows hold no value. Every axis must"
            " have at least one."
        )
    return checked if fold is None else (fold, checked[1])


def _seen_dtype(X: Any, dtype: Any) -> Any:
    """The dtype to ask for: scikit-learn sees none of a polars frame, and takes float64."""
    if not (isinstance(dtype, list) and hasattr(X, "get_columns")):
        return dtype
    kinds = {str(column.dtype) for column in X.get_columns()}
    return np.float32 if kinds == {"Float32"} else dtype


def with_columns(features: "Features", *data: Any, reset: bool, **kwargs: Any) -> Any:
    """Apply scikit-learn's ``validate_data``; learn number and names of columns.

    Parameters
    ----------
    data : X, or X and y
    reset : bool
        Whether to learn them; else they must be those of the fit.
    """
    columns = _columns(features, reset)
    checked = validate_data(columns, *data, reset=reset, **kwargs)
    if reset:
        features.n_features_in = columns.n_features_in_
        features.feature_names_in = getattr(columns, "feature_names_in_", None)
    return checked


# What NumPy says of values that are no numbers, and what we say.
_UNUSABLE: dict[str, tuple[type[Exception], str]] = {
    "could not convert string": (
        ValueError,
        "text ({error}). Encode it first, e.g. with a OneHotEncoder in a"
        " ColumnTransformer.",
    ),
    "setting an array element with a sequence": (
        ValueError,
        "rows of unequal length or shape, and needs rows of one shape. Pad or cut them,"
        " or use the CNN or RNN estimators, which take series of any length.",
    ),
    "float() argument must be": (
        TypeError,
        "values that are no numbers ({error}). Encode them first, or leave their"
        " column out.",
    ),
}


@cache
def _named(owner: str) -> type:
    return type(owner, (BaseEstimator,), {})


def _columns(features: Features, reset: bool) -> Any:
    """An object that scikit-learn's validation reads and writes columns on."""
    names, n_columns = features.feature_names_in, features.n_features_in
    if not reset and names is None and n_columns is not None:
        return _of_width(features.owner, n_columns)
    columns = stand_in(features)
    if not reset and n_columns is not None:
        columns.n_features_in_ = n_columns
        columns.feature_names_in_ = names
    return columns


@lru_cache(maxsize=256)
def _of_width(owner: str, n_columns: int) -> Any:
    """The object for rows without names; it is only read, and threads may share it."""
    columns = _named(owner)()
    columns.n_features_in_ = n_columns
    return columns


def stand_in(features: Features) -> Any:
    """An estimator of the owner's name, for the errors of scikit-learn's checks."""
    return _named(features.owner)()


def as_bytes(asked: Any) -> Any:
    """The dtype for X of 8-bit integers, which float32 holds exactly."""
    return np.dtype("float32") if isinstance(asked, list) else asked
