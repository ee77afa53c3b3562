"""Inputs of the graph: one per column of a frame, or one for an array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.utils import get_tags

from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._missing import is_missing
from sklearn_deep.data._times import time_dtype
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.families._lengths import VariableLengthEstimator
from sklearn_deep.estimators.families._sequences import SequenceEstimator
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import (
    BOOL,
    DOUBLE,
    FLOAT,
    INT,
    NO_INPUT,
    PIXEL,
    STRING,
)
from sklearn_deep.export.inputs._probe import predict_error
from sklearn_deep.export.inputs._walk import walk_parts
from sklearn_deep.serving._sequence_inputs import (
    LENGTHS,
    STEPS,
    as_texts,
    is_sequence_array,
    object_array,
    to_ragged,
)


@dataclass(frozen=True)
class Input:
    """One input of the graph.

    Attributes
    ----------
    name : str
    columns : tuple of int
        Indices of the columns of X in it; empty for images, series and sequences.
    dtype : numpy.dtype
    row_shape : tuple of int or None
        Shape of a row; None for an axis of any length.
    refusal : str
        Error message for a column that no ONNX input can hold, raised if a step reads
        it; for dates and durations, if another step than a network for tables does. Empty
        for other columns.
    """

    name: str
    columns: tuple[int, ...]
    dtype: np.dtype
    row_shape: tuple[int | None, ...]
    refusal: str = ""


def as_rows(model: Any, X: Any) -> Any:
    """Convert X to an array, or a frame with the columns of the fit in their order.

    Sequences are converted to an object array.

    Raises
    ------
    OnnxExportError
        If columns are missing, or X has another shape than in the fit.
    """
    if sequence_network(model) is not None:
        items = _items(model, X)
        if items is not None:
            return items
    if vectoriser(model) is None:
        return _table_of(model, X)
    if not hasattr(model, "n_features_in_"):  # texts have no columns
        return _documents(X)
    X = _table_of(model, X)
    _check_taken(model, X)
    return X


def _table_of(model: Any, X: Any) -> Any:
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
            f"X must contain rows like those of the fit, of shape (n_samples,"
            f" {wanted if wanted is not None else 'n_features'}); got shape {X.shape}."
        )
    if not len(X):
        raise OnnxExportError("X has no rows; pass some to compare predictions on.")
    if several:  # only the network knows which shapes it accepts
        _check_taken(model, X)


def _check_taken(model: Any, X: Any) -> None:
    error = predict_error(model, X[:1])
    if error is not None:
        raise OnnxExportError(
            f"X must contain rows like those of the fit. {error}"
        ) from error


def sequence_network(model: Any) -> Any:
    """Find the first sequence estimator nested in a fitted estimator, or None."""
    parts = (m for m in walk_parts(model) if isinstance(m, VariableLengthEstimator))
    return next((part for part in parts if hasattr(part, "module_")), None)


def vectoriser(model: Any) -> Any:
    """Find the first text vectoriser nested in a fitted estimator, or None."""
    kinds = (CountVectorizer, HashingVectorizer)
    return next((m for m in walk_parts(model) if isinstance(m, kinds)), None)


def _documents(X: Any) -> np.ndarray:
    try:
        texts = as_texts(X)
    except (TypeError, ValueError) as error:
        raise OnnxExportError(str(error)) from error
    if not len(texts):
        raise OnnxExportError("X has no rows; pass some to compare predictions on.")
    return texts


def _items(model: Any, X: Any) -> np.ndarray | None:
    network = sequence_network(model)
    found = fitted_of(network).features.sequences_in(X)
    if found is None and fitted_of(network).features.of_tokens:
        found = list(np.asarray(X))  # rows of tokens of equal length
    if found is not None and not found:
        raise OnnxExportError("X has no rows; pass some to compare predictions on.")
    return None if found is None else object_array(found)


def sequence_form(model: Any, X: Any) -> dict[str, Any]:
    """Describe the kind of sequences, for the metadata."""
    network = sequence_network(model)
    if network is None:
        return {
            "kind": "document",
            "owner": type(vectoriser(model)).__name__,
            **dict.fromkeys(("channels", "analyzer", "n_channels")),
        }
    kind = "numbers"
    features = fitted_of(network).features
    if features.of_tokens:
        kind = "text" if isinstance(X[0], str) else "tokens"
    return {
        "kind": kind,
        "owner": type(network).__name__,
        "channels": features.channels,
        "analyzer": features.analyzer,
        "n_channels": None if features.of_tokens else features.n_channels,
    }


def _declare_sequences(model: Any, X: np.ndarray) -> list[Input]:
    form = sequence_form(model, X)
    if form["kind"] in ("text", "document"):
        return [Input(STEPS, (), STRING, ())]
    ragged = to_ragged(X, form)
    dtype, shape = _dtype_of(ragged.values, STEPS), (None, *ragged.shape[1:])
    return [Input(STEPS, (), dtype, shape), Input(LENGTHS, (), INT, ())]


def _takes_several_axes(model: Any) -> bool:
    networks = (m for m in walk_parts(model) if isinstance(m, TracksSubclasses))
    return any(get_tags(m).input_tags.three_d_array for m in networks)


def is_frame(X: Any) -> bool:
    """Tell whether X is a data frame, such as of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "__getitem__")


def _ordered(model: Any, X: Any) -> Any:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        _check_shape(model, X)
        return X
    present = set(X.columns)
    missing = [name for name in names if name not in present]
    kept = [name for name in names if name in present]
    X = X if list(X.columns) == kept else X[kept]
    if missing:
        _check_missing_columns(model, X, missing)
    else:
        _check_shape(model, X)
    return X


def _check_missing_columns(model: Any, X: Any, missing: list[Any]) -> None:
    """Raise if the estimator needs the missing columns."""
    error = predict_error(model, X[:1]) if len(X) else None
    if error is not None or not len(X):
        raise OnnxExportError(
            f"X lacks the columns {missing[:5]!r} that {type(model).__name__} was"
            f" fitted on{'.' if error is None else f', and it needs them: {error}'}"
        ) from error


def fitted_columns(model: Any, X: Any) -> list[str]:
    """Names of the columns in the fit, including those that X lacks."""
    names = getattr(model, "feature_names_in_", None)
    return [str(name) for name in (X.columns if names is None else names)]


_MAX_PROBES = 64


def optional_columns(model: Any, X: Any, inputs: list[Input]) -> list[int]:
    """Find the columns that the estimator does not need for predictions.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
    inputs : list of Input
        Inputs that the graph uses: their columns are needed.

    Returns
    -------
    list of int
        Indices among the columns of the fit. They are found by bisection, with at most
        ``_MAX_PROBES`` calls of the estimator; undecided columns count as needed.
    """
    if not is_frame(X) or getattr(model, "feature_names_in_", None) is None:
        return []
    read = {j for i in inputs for j in i.columns}
    names = fitted_columns(model, X)
    present = set(column_names(X) or [])
    found = [j for j, name in enumerate(names) if name not in present]
    waiting = [[j for j, name in enumerate(names) if name in present and j not in read]]
    for _ in range(_MAX_PROBES):
        if not waiting:
            break
        indices = waiting.pop()
        without = {names[j] for j in indices}
        kept = [name for name in X.columns if str(name) not in without]
        if predict_error(model, X[:1][kept]) is None:
            found += indices
        elif len(indices) > 1:
            middle = len(indices) // 2
            waiting += [indices[:middle], indices[middle:]]
    return sorted(found)


def column_names(X: Any) -> list[str] | None:
    """Names of the columns of a frame; None for an array."""
    if not is_frame(X):
        return None
    return [str(name) for name in X.columns]


def declare_inputs(model: Any, X: Any) -> list[Input]:
    """Choose the inputs of the graph for rows like X."""
    if is_sequence_array(X):
        return _declare_sequences(model, X)
    if is_frame(X):
        return _declare_columns(model, X)
    dtype = PIXEL if is_pixels(model, X) else _dtype_or_none(X)
    if dtype is None and X.dtype == object and X.ndim == 2:
        return [_declare(f"x{j}", j, column) for j, column in enumerate(X.T)]
    if dtype is None:
        raise OnnxExportError(_unsupported_column("X", _content(X)))
    if len(X.shape) > 2:
        shape: tuple[int | None, ...] = X.shape[1:]
        network = sequence_network(model)
        if isinstance(network, SequenceEstimator):  # series may have any length
            time = 1 if fitted_of(network).features.channels == "first" else 0
            shape = tuple(None if i == time else n for i, n in enumerate(shape))
        return [Input("X", (), dtype, shape)]
    width = X.shape[1]
    return [Input("X", tuple(range(width)), dtype, (width,))]


def _declare_columns(model: Any, X: Any) -> list[Input]:
    present = column_names(X) or []
    duplicates = sorted({name for name in present if present.count(name) > 1})
    if duplicates:
        raise OnnxExportError(
            f"X has duplicate column names {duplicates[:5]!r}. Give every column a unique"
            " name."
        )
    indices = {name: k for k, name in enumerate(present)}
    inputs = []
    for j, name in enumerate(fitted_columns(model, X)):
        shown = name or f"x{j}"  # in ONNX an empty name means no input
        if name in indices:
            column = column_values(X, indices[name])
            kind = _non_scalar_dtype(X, indices[name], column)
            inputs.append(_declare(shown, j, column, kind))
        else:
            lacking = f"X lacks the column {name!r}, which the model needs."
            inputs.append(Input(shown, (j,), NO_INPUT, (1,), lacking))
    return inputs


def _declare(name: str, index: int, values: np.ndarray, kind: str = "") -> Input:
    times = time_dtype(values)
    if times is not None:
        message = _only_read_by_networks(name, kind or _content(values))
        return Input(name, (index,), times, (1,), message)
    dtype = None if kind else _dtype_or_none(values)
    if dtype is None:
        message = _unsupported_column(name, kind or _content(values))
        return Input(name, (index,), NO_INPUT, (1,), message)
    return Input(name, (index,), dtype, (1,))


def is_pixels(model: Any, X: Any) -> bool | None:
    """Tell whether rows are 8-bit pixels, for a network that distinguishes them.

    Returns
    -------
    bool or None
        None if the model does not distinguish 8-bit pixels from other numbers.
    """
    numbers = not (is_frame(X) or is_sequence_array(X)) and X.dtype.kind in "fiub"
    if not numbers or not _takes_several_axes(model):
        return None
    pixels = X.dtype == PIXEL
    with np.errstate(invalid="ignore"):
        others = X[:1].astype(np.float64 if pixels else PIXEL)
    return None if predict_error(model, others) is None else pixels


def column_values(X: Any, index: int) -> np.ndarray:
    """Values of one column of a frame."""
    column = X.iloc[:, index] if hasattr(X, "iloc") else X[X.columns[index]]
    return column.to_numpy()


def _non_scalar_dtype(X: Any, index: int, values: np.ndarray) -> str:
    """Name the dtype of a polars column of dates, lists or structs; "" for others.

    NumPy would convert some of these to numbers.
    """
    dtype = X.dtypes.iloc[index] if hasattr(X, "iloc") else X[X.columns[index]].dtype
    several = values.ndim > 1 or getattr(dtype, "is_nested", bool)()
    temporal = getattr(dtype, "is_temporal", bool)()
    return f"{dtype} values" if several or temporal else ""


# ONNX dtypes by the kinds of NumPy's dtypes.
_KINDS = {"f": DOUBLE, "i": INT, "u": INT, "b": BOOL, "U": STRING}


def _dtype_of(values: np.ndarray, name: str) -> np.dtype:
    dtype = _dtype_or_none(values)
    if dtype is None:
        raise OnnxExportError(_unsupported_column(name, _content(values)))
    return dtype


def _dtype_or_none(values: np.ndarray) -> np.dtype | None:
    if values.dtype in (np.float16, np.float32):
        return FLOAT
    if values.dtype.kind == "O":
        return _dtype_of_objects(values.ravel())
    return _KINDS.get(values.dtype.kind)


def _dtype_of_objects(values: np.ndarray) -> np.dtype | None:
    present = [value for value in values if not is_missing(value)]
    if all(isinstance(value, str) for value in present):
        return STRING if present else DOUBLE
    if all(isinstance(value, (bool, np.bool_)) for value in present):
        return BOOL if len(present) == len(values) else DOUBLE
    if all(isinstance(value, (int, float, np.number)) for value in present):
        return DOUBLE
    return None


def _content(values: np.ndarray) -> str:
    if values.dtype != object:
        return f"{values.dtype} values"
    kinds = {type(value).__name__ for value in values.ravel() if not is_missing(value)}
    return f"values of {', '.join(sorted(kinds))}"


def _only_read_by_networks(name: str, what: str) -> str:
    return (
        f"Column {name!r} contains {what}, which in ONNX only TabularClassifier and"
        " TabularRegressor read, as dates or durations that are no categories. Convert the"
        " column to numbers before other steps."
    )


def _unsupported_column(name: str, what: str) -> str:
    return (
        f"Column {name!r} contains {what}, which no ONNX input can hold. Columns that the"
        " pipeline reads may contain numbers, booleans or strings, each column of one"
        " type, and missing values."
    )
