"""Sequences of unequal length as inputs of a graph, and its outputs for their steps.

Nothing here needs torch, since the readers of exported files use it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._missing import refuse_missing_sequences
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._sequences import check_numbers, join, sequences_in
from sklearn_deep.data._vocabulary import tokenize

# Names of the two inputs.
STEPS, LENGTHS = "X", "lengths"
# Characters at which ``str.split`` splits.
WHITE_SPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def as_sequence_array(X: Any) -> np.ndarray | None:
    """Convert sequences to an object array of them; return None for an array of numbers."""
    items = sequences_in(X)
    return None if items is None else object_array(items)


def as_texts(X: Any) -> np.ndarray:
    """Convert texts in a list, Series or array to an object array of strings.

    Raises
    ------
    ValueError, TypeError
        For anything else; the message says what was passed.
    """
    items = np.asarray(X, object)
    if hasattr(X, "columns") or items.ndim != 1:
        raise ValueError(
            "X must contain texts, one string per row, in a list, Series or 1-D array;"
            f" got shape {np.shape(X)}. Pass one column, such as X['text']."
        )
    for i, item in enumerate(items):
        if not isinstance(item, str):
            raise TypeError(
                f"X must contain texts, but X[{i}] is {item!r} of {type(item).__name__}."
                " Fill or drop missing values."
            )
    return object_array([str(item) for item in items])


def object_array(items: Sequence[Any]) -> np.ndarray:
    """Make an object array whose items are sequences."""
    out = np.empty(len(items), object)
    for i, item in enumerate(items):
        out[i] = item
    return out


def is_sequence_array(X: Any) -> bool:
    """Tell whether X is a 1-D object array, as made by ``object_array``."""
    return isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1


def to_ragged(items: Any, form: dict[str, Any]) -> Ragged:
    """Concatenate the steps of sequences to one ragged array.

    Parameters
    ----------
    items : sequence of sequences
    form : dict
        ``"kind"``: ``"numbers"`` or ``"tokens"``; ``"channels"``, ``"analyzer"`` as the
        estimator's parameters; ``"owner"``: its class name.

    Raises
    ------
    ValueError, TypeError
        For missing sequences, or sequences of another kind.
    """
    owner = form["owner"]
    if form["kind"] == "numbers":
        n_channels = form.get("n_channels")
        ragged = join(items, owner, form["channels"], n_channels=n_channels)
        return check_numbers(ragged, owner, [np.float64, np.float32])
    ragged = tokenize(items, form["analyzer"], owner)
    if ragged.dtype.kind in "iu":
        return ragged.with_values(ragged.values.astype(np.int64))
    return ragged.with_values(ragged.values.astype(object))


def sequence_feeds(X: Any, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    """Make the inputs of a graph over sequences: texts, or padded steps and lengths.

    Parameters
    ----------
    X : n sequences, or array of shape (n, time, ...)
        In any form that the estimator accepts.
    metadata : dict
        The metadata of the file.

    Raises
    ------
    ValueError, TypeError
        If the rows differ in form from those of the export.
    """
    form, part = metadata["sequences"], metadata["inputs"][0]
    items = as_texts(X) if form["kind"] == "document" else as_sequence_array(X)
    if items is None:
        items = object_array(list(_rows(X)))
    if not len(items):
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required."
        )
    if form["kind"] == "document":
        return {STEPS: items}
    if form["kind"] == "text":
        return {STEPS: _texts(items, form)}
    if form["kind"] == "tokens" and isinstance(items[0], str):
        raise TypeError(
            "X contains texts, but contained lists of tokens at the export. Split the texts,"
            " or export with texts."
        )
    strings = part["dtype"] == "string"
    ragged = _as_exported(to_ragged(items, form), form, strings)
    steps, lengths = ragged.filled()
    dtype = object if strings else part["dtype"]
    return {STEPS: steps.astype(dtype, copy=False), LENGTHS: lengths}


def _as_exported(ragged: Ragged, form: dict[str, Any], strings: bool) -> Ragged:
    """Steps of the type of the export; raise for other tokens, and other channels."""
    if len(ragged.values) and (ragged.dtype == object) != strings:
        raise TypeError(
            f"X contains tokens that are {'integers' if strings else 'text'}, unlike those"
            " of the export."
        )
    if form["kind"] == "numbers" and ragged.shape[1] != form["n_channels"]:
        raise ValueError(
            f"X has {ragged.shape[1]} channels, but the model expects"
            f" {form['n_channels']}."
        )
    if len(ragged.values):
        return ragged
    # No token shows its type.
    return ragged.with_values(ragged.values.astype(object if strings else float))


def _rows(X: Any) -> np.ndarray:
    array = np.asarray(X)
    if not array.ndim:
        raise TypeError(
            f"X must contain sequences, as at the export; got {type(X).__name__}. Pass a list"
            " of them, or an array."
        )
    return array


def _texts(items: np.ndarray, form: dict[str, Any]) -> np.ndarray:
    refuse_missing_sequences(list(items), form["owner"])
    if not all(isinstance(item, str) for item in items):
        raise TypeError(
            "X must contain texts, as at the export. Join lists of tokens, or export with"
            " such lists."
        )
    return np.array([str(item) for item in items], object)


def row_lengths(
    feeds: dict[str, np.ndarray], metadata: dict[str, Any]
) -> np.ndarray | None:
    """Number of steps of each row if the model predicts steps; None if all are equal."""
    form = metadata.get("sequences")
    if form is None or not metadata["by_step"]:
        return None
    if LENGTHS in feeds:
        return feeds[LENGTHS]
    texts = list(feeds[STEPS])
    return tokenize(texts, form["analyzer"], form["owner"]).lengths


def unpadded_steps(values: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Concatenate the steps of all rows of (n, time, ...), without padding."""
    values = np.asarray(values)
    if lengths is None:
        return values.reshape(-1, *values.shape[2:])
    return values[np.arange(values.shape[1]) < lengths[:, None]]


def trim_padding(values: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Split (n, time, ...) into an object array with the unpadded steps of each row.

    Without lengths the values are returned unchanged.
    """
    if lengths is None:
        return values
    return object_array([row[:n] for row, n in zip(values, lengths, strict=True)])


def flat_steps(by_row: Any) -> np.ndarray:
    """Concatenate an estimator's predictions of the steps of all rows."""
    if is_sequence_array(by_row):
        return np.concatenate(list(by_row))
    return unpadded_steps(by_row, None)
