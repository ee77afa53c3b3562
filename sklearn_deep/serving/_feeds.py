"""Conversion of rows of any kind to the input arrays of a graph."""

from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing
from sklearn_deep.data._times import time_dtype, whole_microseconds
from sklearn_deep.serving._sequence_inputs import sequence_feeds


def make_feeds(X: Any, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    """Make the input arrays of a graph from rows.

    Parameters
    ----------
    X : {array-like, DataFrame} of shape (n_rows, n_features), or (n_rows, *row_shape)
    metadata : dict
        The metadata of the file: the inputs, and the columns of X that each contains.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, n_columns), or (n_rows, *row_shape)

    Raises
    ------
    ValueError, TypeError
        If the rows differ in form from those of the fit; the message says how.
    """
    if metadata.get("sequences"):
        return sequence_feeds(X, metadata)
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        return _from_frame(X, metadata)
    return _from_array(X, metadata)


def _from_frame(X: Any, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    names = metadata["feature_names_in"]
    present = [str(name) for name in X.columns]
    if names is None:
        _check_width(len(present), metadata)
        indices = list(range(len(present)))
    else:
        first = {name: j for j, name in reversed(list(enumerate(present)))}
        optional = set(metadata.get("optional_columns", ()))
        missing = [
            name
            for j, name in enumerate(names)
            if name not in first and j not in optional
        ]
        if missing:
            raise ValueError(
                f"X lacks the columns {missing[:5]!r} that the model was fitted on; it"
                f" has {present[:10]!r}."
            )
        indices = [first.get(name, -1) for name in names]
    _check_rows(len(X))
    feeds = {}
    for part in metadata["inputs"]:
        columns = [_column(X, indices[j]) for j in part["columns"]]
        values = [
            _convert(column, part, _label(metadata, j), metadata)
            for column, j in zip(columns, part["columns"], strict=True)
        ]
        feeds[part["name"]] = np.stack(values, 1)
    return feeds


def _column(X: Any, index: int) -> np.ndarray:
    column = X.iloc[:, index] if hasattr(X, "iloc") else X[X.columns[index]]
    return column.to_numpy()


def _from_array(X: Any, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    if hasattr(X, "toarray"):
        raise TypeError(
            "X is a sparse matrix, and the model takes dense rows. Pass X.toarray()."
        )
    X = _as_array(X)
    _check_kind(X, metadata)
    if "row_shape" in metadata["inputs"][0]:
        return _of_several_axes(X, metadata)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got an array of shape {X.shape} instead. Reshape X with"
            " X.reshape(1, -1) if it is a single sample, or X.reshape(-1, 1) if it has a"
            " single feature."
        )
    _check_width(X.shape[1], metadata)
    _check_rows(len(X))
    feeds = {}
    for part in metadata["inputs"]:
        columns = part["columns"]
        integral = len(columns) == X.shape[1]
        block = X if integral else X[:, columns]
        if _by_column(block, part["dtype"]):
            values = [
                _convert(block[:, k], part, _label(metadata, j), metadata)
                for k, j in enumerate(columns)
            ]
            feeds[part["name"]] = np.stack(values, 1)
        else:
            label = _label(metadata, columns[0]) if len(columns) == 1 else part["name"]
            feeds[part["name"]] = _convert(block, part, label, metadata)
    return feeds


def _of_several_axes(X: np.ndarray, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    """Images and series: a single input with the row shape and dtype of the export."""
    (part,) = metadata["inputs"]
    shape = tuple(part["row_shape"])
    fits = X.ndim == 1 + len(shape) and all(
        wanted in (n, None) for n, wanted in zip(X.shape[1:], shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("time" if n is None else str(n) for n in shape)
        raise ValueError(
            f"X has shape {X.shape}, but the model takes (n_samples, {wanted})."
        )
    _check_rows(len(X))
    return {part["name"]: _convert(X, part, part["name"], metadata)}


def _check_kind(X: np.ndarray, metadata: dict[str, Any]) -> None:
    pixels = metadata.get("pixels")
    if pixels is not None and (X.dtype == np.uint8) != pixels:
        raise ValueError(
            f"X has dtype {X.dtype}, and had {metadata['inputs'][0]['dtype']} at the export:"
            " uint8 images are scaled to [0, 1], other numbers are not. Pass X of the"
            " same kind."
        )


def _as_array(X: Any) -> np.ndarray:
    try:
        array = np.asarray(X)
    except ValueError as error:  # NumPy's message is about inhomogeneous shapes
        raise ValueError(
            "X has rows of unequal length. Give each row the same number of features."
        ) from error
    # NumPy converts numbers to strings if a list contains strings too.
    mixed = array.dtype.kind in "US" and isinstance(X, (list, tuple))
    return np.array(X, object) if mixed else array


def _by_column(block: np.ndarray, dtype: str) -> bool:
    """Tell whether each column has to be converted by itself.

    That is so if the columns can differ in type, or if an error has to name the column.
    """
    other = dtype in (*_INTEGRAL, *_TIMES) and block.dtype != dtype
    return block.dtype == object or other


def _label(metadata: dict[str, Any], index: int) -> str:
    names = metadata["feature_names_in"]
    return repr(names[index]) if names is not None else str(index)


def _check_width(width: int, metadata: dict[str, Any]) -> None:
    if width != metadata["n_features_in"]:
        raise ValueError(
            f"X has {width} features, but the model is expecting"
            f" {metadata['n_features_in']} features as input."
        )


def _check_rows(n_rows: int) -> None:
    if n_rows == 0:
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required."
        )


# Conversion of the values of one input

_INTEGRAL = ("int64", "bool")  # dtypes without missing values and fractions

_TIMES = {"datetime64[us]": "dates", "timedelta64[us]": "durations"}


def _convert(
    values: np.ndarray, part: dict[str, Any], label: str, metadata: dict[str, Any]
) -> np.ndarray:
    dtype = part["dtype"]
    if dtype == "string":
        strings = _strings(values, label, metadata["missing"])
        if metadata.get("missing_is_looked_up"):
            _check_placeholder(values, label, metadata["missing"])
        return strings
    if dtype in _TIMES:
        return _times(values, dtype, label)
    if values.dtype == object:
        values = _numbers_of_objects(values, dtype, label)
    if values.dtype.kind not in "fiub":
        raise TypeError(
            f"Column {label} must contain numbers, as at the export; got {values.dtype}."
        )
    if dtype in _INTEGRAL:
        _check_integers(values, dtype, label)
    if dtype == "int64" and values.dtype == np.uint64 and values.size:
        _check_range(values, label)
    if dtype == "bool":
        _check_boolean(values, label)
    with np.errstate(over="ignore"):  # too large for float32 is inf, which is refused
        return np.ascontiguousarray(values, dtype)


def _times(values: np.ndarray, dtype: str, label: str) -> np.ndarray:
    """Whole microseconds of a column of dates or durations."""
    found = time_dtype(values)
    if found != dtype and not all(is_missing(value) for value in values):
        raise TypeError(
            f"Column {label} must contain {_TIMES[dtype]}, as at the export; got"
            f" {values.dtype}."
        )
    return whole_microseconds(values)


def _numbers_of_objects(values: np.ndarray, dtype: str, label: str) -> np.ndarray:
    missing = np.array([is_missing(value) for value in values.ravel()], bool)
    missing = missing.reshape(values.shape)
    filled = np.where(missing, np.nan, values) if missing.any() else values
    kinds = {type(value) for value in filled.ravel()}
    if any(issubclass(kind, str) for kind in kinds):
        raise TypeError(
            f"Column {label} must contain numbers, as at the export; got strings such as"
            f" {next(v for v in filled.ravel() if isinstance(v, str))!r}."
        )
    integral = not missing.any() and all(
        issubclass(k, (int, np.integer)) for k in kinds
    )
    try:
        return filled.astype(
            np.int64 if integral and dtype in _INTEGRAL else np.float64
        )
    except OverflowError:
        raise _out_of_range(label) from None
    except (TypeError, ValueError):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(
            f"Column {label} must contain numbers, as at the export; got values of"
            f" {', '.join(names)}."
        ) from None


def _check_integers(values: np.ndarray, dtype: str, label: str) -> None:
    if values.dtype.kind != "f":
        return
    if np.isnan(values).any():
        raise ValueError(
            f"Column {label} has missing values, but was exported as {dtype} without any."
            " Export with rows that have missing values, or fill them."
        )
    if (values != np.floor(values)).any():
        raise ValueError(
            f"Column {label} has fractions, but was exported as {dtype}. Export with such"
            " rows, or round them."
        )
    _check_range(values, label)


def _check_range(values: np.ndarray, label: str) -> None:
    if values.size and (values.max() >= 2**63 or values.min() < -(2**63)):
        raise _out_of_range(label)


def _out_of_range(label: str) -> ValueError:
    return ValueError(f"Column {label} contains integers that do not fit into 64 bits.")


def _check_boolean(values: np.ndarray, label: str) -> None:
    other = values[(values != 0) & (values != 1)]
    if other.size:
        raise ValueError(
            f"Column {label} was bool at the export, and contains {other[0]!s} now. Pass"
            " True and False, or 1 and 0; or export with rows that contain such numbers."
        )


def _strings(values: np.ndarray, label: str, missing: str) -> np.ndarray:
    if values.dtype.kind == "U":
        return values.astype(object, order="C")
    if values.dtype != object:
        raise TypeError(
            f"Column {label} must contain strings, as at the export; got {values.dtype}."
        )
    out = np.empty(values.shape, object)
    flat = out.reshape(-1)
    for i, value in enumerate(values.ravel()):
        if isinstance(value, str):
            flat[i] = str(value)
        elif is_missing(value):
            flat[i] = missing
        else:
            raise TypeError(
                f"Column {label} must contain strings, as at the export; got {value!r} of"
                f" {type(value).__name__}."
            )
    return out


def _check_placeholder(values: np.ndarray, label: str, missing: str) -> None:
    if any(isinstance(value, str) and value == missing for value in values.ravel()):
        raise ValueError(
            f"Column {label} contains the string {missing!r}, which marks a missing value in"
            " this file. Export with rows that contain this string: the file then marks"
            " missing values with another one."
        )
