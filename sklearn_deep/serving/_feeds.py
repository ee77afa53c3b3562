"""Rows of any kind as the inputs of a model: arrays, one for each."""

from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing
from sklearn_deep.serving._sequence_inputs import sequence_feeds


def make_feeds(X: Any, card: dict[str, Any]) -> dict[str, np.ndarray]:
    """Give each input of a model its columns of X.

    Parameters
    ----------
    X : {array-like, DataFrame} of shape (n_rows, n_features), or (n_rows, *row_shape)
    card : dict
        The model's card: its inputs, and the features that they are.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, n_columns), or (n_rows, *row_shape)

    Raises
    ------
    ValueError, TypeError
        For rows that are not like those of the fit; the message says how.
    """
    if card.get("sequences"):
        return sequence_feeds(X, card)
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        return _from_frame(X, card)
    return _from_array(X, card)


def _from_frame(X: Any, card: dict[str, Any]) -> dict[str, np.ndarray]:
    names = card["feature_names_in"]
    present = [str(name) for name in X.columns]
    if names is None:
        _check_width(len(present), card)
        places = list(range(len(present)))
    else:
        first = {name: j for j, name in reversed(list(enumerate(present)))}
        optional = set(card.get("optional_columns", ()))
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
        places = [first.get(name, -1) for name in names]
    _check_rows(len(X))
    feeds = {}
    for part in card["inputs"]:
        columns = [_column(X, places[j]) for j in part["columns"]]
        values = [
            _converted(column, part, _label(card, j), card)
            for column, j in zip(columns, part["columns"], strict=True)
        ]
        feeds[part["name"]] = np.stack(values, 1)
    return feeds


def _column(X: Any, place: int) -> np.ndarray:
    column = X.iloc[:, place] if hasattr(X, "iloc") else X[X.columns[place]]
    return column.to_numpy()


def _from_array(X: Any, card: dict[str, Any]) -> dict[str, np.ndarray]:
    if hasattr(X, "toarray"):
        raise TypeError(
            "X is a sparse matrix, and the model takes dense rows. Pass X.toarray()."
        )
    X = _as_array(X)
    _check_kind(X, card)
    if "row_shape" in card["inputs"][0]:
        return _of_several_axes(X, card)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got an array of shape {X.shape} instead. Reshape X with"
            " X.reshape(1, -1) if it is a single sample, or X.reshape(-1, 1) if it has a"
            " single feature."
        )
    _check_width(X.shape[1], card)
    _check_rows(len(X))
    feeds = {}
    for part in card["inputs"]:
        columns = part["columns"]
        whole = len(columns) == X.shape[1]
        block = X if whole else X[:, columns]
        if _by_column(block, part["dtype"]):
            values = [
                _converted(block[:, k], part, _label(card, j), card)
                for k, j in enumerate(columns)
            ]
            feeds[part["name"]] = np.stack(values, 1)
        else:
            label = _label(card, columns[0]) if len(columns) == 1 else part["name"]
            feeds[part["name"]] = _converted(block, part, label, card)
    return feeds


def _of_several_axes(X: np.ndarray, card: dict[str, Any]) -> dict[str, np.ndarray]:
    """Images and series: one input, of the shape and kind of those of the export."""
    (part,) = card["inputs"]
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
    return {part["name"]: _converted(X, part, part["name"], card)}


def _check_kind(X: np.ndarray, card: dict[str, Any]) -> None:
    pixels = card.get("pixels")
    if pixels is not None and (X.dtype == np.uint8) != pixels:
        raise ValueError(
            f"X has dtype {X.dtype}, and had {card['inputs'][0]['dtype']} at the export:"
            " uint8 images are scaled to [0, 1], other numbers are not. Pass X of the"
            " same kind."
        )


def _as_array(X: Any) -> np.ndarray:
    try:
        array = np.asarray(X)
    except ValueError as error:  # NumPy speaks of inhomogeneous shapes
        raise ValueError(
            "X has rows of unequal length. Give each row the same number of features."
        ) from error
    # NumPy makes texts of the numbers that stand beside texts in a list.
    mixed = array.dtype.kind in "US" and isinstance(X, (list, tuple))
    return np.array(X, object) if mixed else array


def _by_column(block: np.ndarray, dtype: str) -> bool:
    """Tell whether columns may differ in kind, or one of them may be refused by name."""
    return block.dtype == object or (dtype in _WHOLE and block.dtype != dtype)


def _label(card: dict[str, Any], place: int) -> str:
    names = card["feature_names_in"]
    return repr(names[place]) if names is not None else str(place)


def _check_width(width: int, card: dict[str, Any]) -> None:
    if width != card["n_features_in"]:
        raise ValueError(
            f"X has {width} features, but the model is expecting"
            f" {card['n_features_in']} features as input."
        )


def _check_rows(n_rows: int) -> None:
    if n_rows == 0:
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required."
        )


# Conversion of the values of one input.

_WHOLE = ("int64", "bool")  # they have neither missing values nor fractions


def _converted(
    values: np.ndarray, part: dict[str, Any], label: str, card: dict[str, Any]
) -> np.ndarray:
    dtype = part["dtype"]
    if dtype == "string":
        texts = _texts(values, label, card["missing"])
        if card.get("missing_is_looked_up"):
            _check_mark(values, label, card["missing"])
        return texts
    if values.dtype == object:
        values = _numbers_of_objects(values, dtype, label)
    if values.dtype.kind not in "fiub":
        raise TypeError(
            f"Column {label} must hold numbers, as at the export; got {values.dtype}."
        )
    if dtype in _WHOLE:
        _check_integers(values, dtype, label)
    if dtype == "int64" and values.dtype == np.uint64 and values.size:
        _check_range(values, label)
    if dtype == "bool":
        _check_truth(values, label)
    return np.ascontiguousarray(values, dtype)


def _numbers_of_objects(values: np.ndarray, dtype: str, label: str) -> np.ndarray:
    absent = np.array([is_missing(value) for value in values.ravel()], bool)
    absent = absent.reshape(values.shape)
    filled = np.where(absent, np.nan, values) if absent.any() else values
    kinds = {type(value) for value in filled.ravel()}
    if any(issubclass(kind, str) for kind in kinds):
        raise TypeError(
            f"Column {label} must hold numbers, as at the export; got strings such as"
            f" {next(v for v in filled.ravel() if isinstance(v, str))!r}."
        )
    whole = not absent.any() and all(issubclass(k, (int, np.integer)) for k in kinds)
    try:
        return filled.astype(np.int64 if whole and dtype in _WHOLE else np.float64)
    except OverflowError:
        raise _beyond(label) from None
    except (TypeError, ValueError):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(
            f"Column {label} must hold numbers, as at the export; got values of"
            f" {', '.join(names)}."
        ) from None


def _check_integers(values: np.ndarray, dtype: str, label: str) -> None:
    if values.dtype.kind != "f":
        return
    if np.isnan(values).any():
        raise ValueError(
            f"Column {label} has missing values, and had none at the export, where it"
            f" was {dtype}. Export with rows that have some, or fill them."
        )
    if (values != np.floor(values)).any():
        raise ValueError(
            f"Column {label} has fractions, and was {dtype} at the export. Export with"
            " such rows, or round them."
        )
    _check_range(values, label)


def _check_range(values: np.ndarray, label: str) -> None:
    if values.size and (values.max() >= 2**63 or values.min() < -(2**63)):
        raise _beyond(label)


def _beyond(label: str) -> ValueError:
    return ValueError(
        f"Column {label} holds integers beyond the 64 bits of the model's input."
    )


def _check_truth(values: np.ndarray, label: str) -> None:
    other = values[(values != 0) & (values != 1)]
    if other.size:
        raise ValueError(
            f"Column {label} was bool at the export, and holds {other[0]!s} now. Give"
            " True and False, or 1 and 0; or export with rows that hold such numbers."
        )


def _texts(values: np.ndarray, label: str, missing: str) -> np.ndarray:
    if values.dtype.kind == "U":
        return values.astype(object, order="C")
    if values.dtype != object:
        raise TypeError(
            f"Column {label} must hold strings, as at the export; got {values.dtype}."
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
                f"Column {label} must hold strings, as at the export; got {value!r} of"
                f" {type(value).__name__}."
            )
    return out


def _check_mark(values: np.ndarray, label: str, missing: str) -> None:
    if any(isinstance(value, str) and value == missing for value in values.ravel()):
        raise ValueError(
            f"Column {label} holds the text {missing!r}, which stands for a missing value"
            " in this file. Export with rows that hold this text: another text is chosen"
            " for missing values then."
        )
