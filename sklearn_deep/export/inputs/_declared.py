"""The inputs that a model declares: one a column of a frame, or one for an array."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.utils import get_tags

from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.data._missing import is_missing
from sklearn_deep.estimators.core._fitted import fitted_of
from sklearn_deep.estimators.families._lengths import TakesLengths
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
from sklearn_deep.export.inputs._walk import parts_within
from sklearn_deep.serving._sequence_inputs import (
    LENGTHS,
    STEPS,
    as_texts,
    is_items,
    joined,
    objects,
)


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
    refusal : str
        Error message for a column that no ONNX input can hold; it is raised where a
        step reads the column. Empty for all others.
    """

    name: str
    columns: tuple[int, ...]
    dtype: np.dtype
    row_shape: tuple[int | None, ...]
    refusal: str = ""


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
            f"X must hold rows like those of the fit, of shape (n_samples,"
            f" {wanted if wanted is not None else 'n_features'}); got shape {X.shape}."
        )
    if not len(X):
        raise OnnxExportError("X has no row; give some to compare predictions on.")
    if several:  # only the network knows the shapes that it takes
        _check_taken(model, X)


def _check_taken(model: Any, X: Any) -> None:
    error = predict_error(model, X[:1])
    if error is not None:
        raise OnnxExportError(
            f"X must hold rows like those of the fit. {error}"
        ) from error


def sequence_network(model: Any) -> Any:
    """Find the estimator of sequences inside a fitted estimator, or None."""
    parts = (m for m in parts_within(model) if isinstance(m, TakesLengths))
    return next((part for part in parts if hasattr(part, "module_")), None)


def vectoriser(model: Any) -> Any:
    """Find the vectoriser of texts inside a fitted estimator, or None."""
    kinds = (CountVectorizer, HashingVectorizer)
    return next((m for m in parts_within(model) if isinstance(m, kinds)), None)


def _documents(X: Any) -> np.ndarray:
    try:
        texts = as_texts(X)
    except (TypeError, ValueError) as error:
        raise OnnxExportError(str(error)) from error
    if not len(texts):
        raise OnnxExportError("X has no row; give some to compare predictions on.")
    return texts


def _items(model: Any, X: Any) -> np.ndarray | None:
    network = sequence_network(model)
    found = fitted_of(network).features.sequences_in(X)
    if found is None and fitted_of(network).features.of_tokens:
        found = list(np.asarray(X))  # rows of tokens, all of one length
    if found is not None and not found:
        raise OnnxExportError("X has no row; give some to compare predictions on.")
    return None if found is None else objects(found)


def sequence_form(model: Any, X: Any) -> dict[str, Any]:
    """Say what sequences like these are, for whoever brings others."""
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


def _declared_sequences(model: Any, X: np.ndarray) -> list[Input]:
    form = sequence_form(model, X)
    if form["kind"] in ("text", "document"):
        return [Input(STEPS, (), STRING, ())]
    ragged = joined(X, form)
    dtype, shape = _dtype_of(ragged.values, STEPS), (None, *ragged.shape[1:])
    return [Input(STEPS, (), dtype, shape), Input(LENGTHS, (), INT, ())]


def _takes_several_axes(model: Any) -> bool:
    networks = (m for m in parts_within(model) if isinstance(m, TracksSubclasses))
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
    kept = [name for name in names if name in present]
    X = X if list(X.columns) == kept else X[kept]
    if missing:
        _check_lack(model, X, missing)
    else:
        _check_shape(model, X)
    return X


def _check_lack(model: Any, X: Any, missing: list[Any]) -> None:
    """Raise unless the estimator predicts without the missing columns."""
    error = predict_error(model, X[:1]) if len(X) else None
    if error is not None or not len(X):
        raise OnnxExportError(
            f"X lacks the columns {missing[:5]!r} that {type(model).__name__} was"
            f" fitted on{'.' if error is None else f', and it needs them: {error}'}"
        ) from error


def fitted_columns(model: Any, X: Any) -> list[str]:
    """Names of the columns of a frame at the fit, those that X lacks included."""
    names = getattr(model, "feature_names_in_", None)
    return [str(name) for name in (X.columns if names is None else names)]


_MOST_TRIES = 64


def may_lack(model: Any, X: Any, inputs: list[Input]) -> list[int]:
    """Find the columns without which the estimator predicts all the same.

    Parameters
    ----------
    model : fitted estimator
    X : array or frame
    inputs : list of Input
        Those that the graph uses: their columns are needed.

    Returns
    -------
    list of int
        Places of the columns among those of the fit. The estimator is tried on a row
        without them, at most ``_MOST_TRIES`` times; columns left over are needed.
    """
    if not is_frame(X) or getattr(model, "feature_names_in_", None) is None:
        return []
    read = {j for i in inputs for j in i.columns}
    names = fitted_columns(model, X)
    present = set(column_names(X) or [])
    found = [j for j, name in enumerate(names) if name not in present]
    waiting = [[j for j, name in enumerate(names) if name in present and j not in read]]
    for _ in range(_MOST_TRIES):
        if not waiting:
            break
        places = waiting.pop()
        without = {names[j] for j in places}
        kept = [name for name in X.columns if str(name) not in without]
        if predict_error(model, X[:1][kept]) is None:
            found += places
        elif len(places) > 1:
            middle = len(places) // 2
            waiting += [places[:middle], places[middle:]]
    return sorted(found)


def column_names(X: Any) -> list[str] | None:
    """Names of a frame's columns, None for an array."""
    if not is_frame(X):
        return None
    return [str(name) for name in X.columns]


def declared(model: Any, X: Any) -> list[Input]:
    """Choose the inputs for rows like these."""
    if is_items(X):
        return _declared_sequences(model, X)
    if is_frame(X):
        return _declared_columns(model, X)
    dtype = PIXEL if is_pixels(model, X) else _dtype_or_none(X)
    if dtype is None and X.dtype == object and X.ndim == 2:
        return [_declared(f"x{j}", j, column) for j, column in enumerate(X.T)]
    if dtype is None:
        raise OnnxExportError(_refusal("X", _content(X)))
    if len(X.shape) > 2:
        shape: tuple[int | None, ...] = X.shape[1:]
        network = sequence_network(model)
        if isinstance(network, SequenceEstimator):  # series of any length
            time = 1 if fitted_of(network).features.channels == "first" else 0
            shape = tuple(None if i == time else n for i, n in enumerate(shape))
        return [Input("X", (), dtype, shape)]
    width = X.shape[1]
    return [Input("X", tuple(range(width)), dtype, (width,))]


def _declared_columns(model: Any, X: Any) -> list[Input]:
    present = column_names(X) or []
    twice = sorted({name for name in present if present.count(name) > 1})
    if twice:
        raise OnnxExportError(
            f"X has several columns of the names {twice[:5]!r}. Give every column a name"
            " of its own."
        )
    places = {name: k for k, name in enumerate(present)}
    inputs = []
    for j, name in enumerate(fitted_columns(model, X)):
        shown = name or f"x{j}"  # ONNX takes an empty name for no input at all
        if name in places:
            column = column_values(X, places[name])
            kind = _other_than_scalars(X, places[name], column)
            inputs.append(_declared(shown, j, column, kind))
        else:
            lacking = f"X lacks the column {name!r}, which the model reads."
            inputs.append(Input(shown, (j,), NO_INPUT, (1,), lacking))
    return inputs


def _declared(name: str, place: int, values: np.ndarray, kind: str = "") -> Input:
    dtype = None if kind else _dtype_or_none(values)
    if dtype is None:
        message = _refusal(name, kind or _content(values))
        return Input(name, (place,), NO_INPUT, (1,), message)
    return Input(name, (place,), dtype, (1,))


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
    return None if predict_error(model, others) is None else pixels


def column_values(X: Any, place: int) -> np.ndarray:
    """Values of one column of a frame."""
    column = X.iloc[:, place] if hasattr(X, "iloc") else X[X.columns[place]]
    return column.to_numpy()


def _other_than_scalars(X: Any, place: int, values: np.ndarray) -> str:
    """Name the dtype of polars columns of dates, lists and structs, "" for others.

    NumPy's forms of some of these hold numbers.
    """
    dtype = X.dtypes.iloc[place] if hasattr(X, "iloc") else X[X.columns[place]].dtype
    several = values.ndim > 1 or getattr(dtype, "is_nested", bool)()
    temporal = getattr(dtype, "is_temporal", bool)()
    return f"{dtype} values" if several or temporal else ""


# What the kinds of NumPy's dtypes are in ONNX.
_KINDS = {"f": DOUBLE, "i": INT, "u": INT, "b": BOOL, "U": STRING}


def _dtype_of(values: np.ndarray, name: str) -> np.dtype:
    dtype = _dtype_or_none(values)
    if dtype is None:
        raise OnnxExportError(_refusal(name, _content(values)))
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


def _refusal(name: str, what: str) -> str:
    return (
        f"Column {name!r} holds {what}, which no ONNX input can. Columns that the"
        " pipeline reads may hold numbers, booleans or strings, each of one kind, some"
        " of them missing."
    )
