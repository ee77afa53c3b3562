"""The inputs that a model declares: one a column of a frame, or one for an array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags

from sklearn_deep._announce import Announced
from sklearn_deep.estimators._sequences import SequenceEstimator
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export._feeds import is_missing
from sklearn_deep.export._graph import BOOL, DOUBLE, FLOAT, INT, PIXEL, STRING
from sklearn_deep.export._sequences import (
    LENGTHS,
    STEPS,
    as_items,
    is_items,
    joined,
    objects,
)
from sklearn_deep.export._trial import refusal
from sklearn_deep.export._within import parts_within


@dataclass(frozen=True)
class Input:
    """One input of the model.

    Attributes
    ----------
    name : str
    columns : tuple of int
        Columns of X that it holds; none where rows are no rows of columns.
    dtype : numpy.dtype
    row_shape : tuple of int or None
        Shape of a row; None for a length that is open.
    """

    name: str
    columns: tuple[int, ...]
    dtype: np.dtype
    row_shape: tuple[int | None, ...]


def as_rows(model: Any, X: Any) -> Any:
    """Give X as an array or a frame whose columns are those of the fit, in order.

    Sequences come as an object array of them.

    Raises
    ------
    OnnxExportError
        Where columns are missing, or X has another shape than in the fit.
    """
    if sequence_network(model) is not None:
        items = _items(model, X)
        if items is not None:
            return items
    if is_frame(X):
        return _ordered(model, X)
    if sp.issparse(X):
        X = X.toarray()
    X = np.asarray(X)
    _check_shape(model, X)
    return X


def _check_shape(model: Any, X: Any) -> None:
    wanted, n_axes = getattr(model, "n_features_in_", None), len(X.shape)
    several = n_axes > 1 and _takes_several_axes(model)
    if not several and (n_axes != 2 or X.shape[1] != (wanted or X.shape[1])):
        raise OnnxExportError(
            f"X must hold rows like those of the fit, of shape (n_samples,"
            f" {wanted if wanted is not None else 'n_features'}); got shape {X.shape}."
        )
    if not len(X):
        raise OnnxExportError("X has no row; give some to compare predictions on.")
    error = refusal(model, X[:1]) if several else None
    if error is not None:  # only the network knows the shapes that it takes
        raise OnnxExportError(
            f"X must hold rows like those of the fit. {error}"
        ) from error


def sequence_network(model: Any) -> Any:
    """Find the estimator of sequences inside a fitted estimator, or None."""
    parts = (m for m in parts_within(model) if isinstance(m, SequenceEstimator))
    return next((part for part in parts if hasattr(part, "module_")), None)


def _items(model: Any, X: Any) -> np.ndarray | None:
    items = as_items(X)
    if items is None and sequence_network(model)._of_tokens:
        items = objects(list(np.asarray(X)))  # rows of tokens, all of one length
    if items is not None and not len(items):
        raise OnnxExportError("X has no row; give some to compare predictions on.")
    return items


def sequence_form(model: Any, X: Any) -> dict[str, Any]:
    """Say what sequences like these are, for whoever brings others."""
    network = sequence_network(model)
    kind = "numbers"
    if network._of_tokens:
        kind = "text" if isinstance(X[0], str) else "tokens"
    return {
        "kind": kind,
        "owner": type(network).__name__,
        "channels": network.channels,
        "analyzer": network.analyzer,
        "n_channels": None if network._of_tokens else network._n_channels,
    }


def _declared_sequences(model: Any, X: np.ndarray) -> list[Input]:
    form = sequence_form(model, X)
    if form["kind"] == "text":
        return [Input(STEPS, (), STRING, ())]
    ragged = joined(X, form)
    dtype, shape = _dtype_of(ragged.values, STEPS), (None, *ragged.shape[1:])
    return [Input(STEPS, (), dtype, shape), Input(LENGTHS, (), INT, ())]


def _takes_several_axes(model: Any) -> bool:
    networks = (m for m in parts_within(model) if isinstance(m, Announced))
    return any(get_tags(m).input_tags.three_d_array for m in networks)


def is_frame(X: Any) -> bool:
    """Tell whether X is a pandas, polars or like frame."""
    return hasattr(X, "columns") and hasattr(X, "__getitem__")


def _ordered(model: Any, X: Any) -> Any:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        _check_shape(model, X)
        return X
    present = set(X.columns)
    missing = [name for name in names if name not in present]
    if missing:
        raise OnnxExportError(
            f"X lacks the columns {missing[:5]!r} that {type(model).__name__} was"
            " fitted on."
        )
    X = X if list(X.columns) == list(names) else X[list(names)]
    _check_shape(model, X)
    return X


def column_names(X: Any) -> list[str] | None:
    """Names of a frame's columns, None for an array."""
    if not is_frame(X):
        return None
    return [str(name) for name in X.columns]


def declared(model: Any, X: Any) -> list[Input]:
    """Choose the inputs for rows like these."""
    if is_items(X):
        return _declared_sequences(model, X)
    if is_pixels(model, X):
        dtype = PIXEL
    elif not is_frame(X):
        dtype = _dtype_of(X, "X")
    if not is_frame(X) and len(X.shape) > 2:
        shape: tuple[int | None, ...] = X.shape[1:]
        network = sequence_network(model)
        if network is not None:  # series of any length
            time = 1 if network.channels == "first" else 0
            shape = tuple(None if i == time else n for i, n in enumerate(shape))
        return [Input("X", (), dtype, shape)]
    if not is_frame(X):
        width = X.shape[1]
        return [Input("X", tuple(range(width)), dtype, (width,))]
    names = column_names(X) or []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OnnxExportError(
            f"X has several columns of the names {twice[:5]!r}. Give every column a name"
            " of its own."
        )
    return [
        Input(
            # ONNX takes an empty name for no input at all.
            name or f"x{j}",
            (j,),
            _dtype_of(column_values(X, j), name or f"x{j}"),
            (1,),
        )
        for j, name in enumerate(names)
    ]


def is_pixels(model: Any, X: Any) -> bool | None:
    """Tell whether rows are pixels of 8 bits, to a network that takes no other numbers.

    Returns
    -------
    bool or None
        None where bytes and other numbers are the same to the model.
    """
    numbers = not (is_frame(X) or is_items(X)) and X.dtype.kind in "fiub"
    if not numbers or not _takes_several_axes(model):
        return None
    pixels = X.dtype == PIXEL
    with np.errstate(invalid="ignore"):
        others = X[:1].astype(np.float64 if pixels else PIXEL)
    return None if refusal(model, others) is None else pixels


def column_values(X: Any, place: int) -> np.ndarray:
    """Values of one column of a frame."""
    column = X.iloc[:, place] if hasattr(X, "iloc") else X[X.columns[place]]
    if getattr(column.dtype, "is_temporal", bool)():  # polars
        raise _strange(X.columns[place], f"{column.dtype} values")
    return column.to_numpy()


# What the kinds of NumPy's dtypes are in ONNX.
_KINDS = {"f": DOUBLE, "i": INT, "u": INT, "b": BOOL, "U": STRING}


def _dtype_of(values: np.ndarray, name: str) -> np.dtype:
    if values.dtype in (np.float16, np.float32):
        return FLOAT
    if values.dtype.kind in _KINDS:
        return _KINDS[values.dtype.kind]
    if values.dtype.kind == "O":
        return _dtype_of_objects(values.ravel(), name)
    raise _strange(name, f"{values.dtype} values")


def _dtype_of_objects(values: np.ndarray, name: str) -> np.dtype:
    present = [value for value in values if not is_missing(value)]
    if all(isinstance(value, str) for value in present):
        return STRING if present else DOUBLE
    if all(isinstance(value, (bool, np.bool_)) for value in present):
        return BOOL if len(present) == len(values) else DOUBLE
    if all(isinstance(value, (int, float, np.number)) for value in present):
        return DOUBLE
    kinds = sorted({type(value).__name__ for value in present})
    raise _strange(name, f"values of {', '.join(kinds)}")


def _strange(name: str, what: str) -> OnnxExportError:
    return OnnxExportError(
        f"Column {name!r} holds {what}, which no ONNX input can. Columns may hold"
        " numbers, booleans or strings, each of one kind, some of them missing."
    )
