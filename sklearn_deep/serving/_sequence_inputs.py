"""Sequences of unequal length as inputs of a model, and its outputs for their steps.

Nothing here needs torch: the readers of exported files use it too.
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
# Where ``str.split`` splits.
WHITE_SPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)


def as_items(X: Any) -> np.ndarray | None:
    """Sequences as an object array of them; None for an array of numbers."""
    items = sequences_in(X)
    return None if items is None else objects(items)


def as_texts(X: Any) -> np.ndarray:
    """Texts of a list, Series or array, as an object array.

    Raises
    ------
    ValueError, TypeError
        For anything else; the message says what came.
    """
    items = np.asarray(X, object)
    if hasattr(X, "columns") or items.ndim != 1:
        raise ValueError(
            "X must be texts, one string a row, in a list, Series or array of one"
            f" dimension; got shape {np.shape(X)}. Pass one column, such as X['text']."
        )
    for i, item in enumerate(items):
        if not isinstance(item, str):
            raise TypeError(
                f"X must hold texts, and X[{i}] is {item!r} of {type(item).__name__}."
                " Fill or drop what is missing."
            )
    return objects([str(item) for item in items])


def objects(items: Sequence[Any]) -> np.ndarray:
    """An object array whose items are sequences."""
    out = np.empty(len(items), object)
    for i, item in enumerate(items):
        out[i] = item
    return out


def is_items(X: Any) -> bool:
    """Tell whether rows are an object array of sequences."""
    return isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1


def joined(items: Any, form: dict[str, Any]) -> Ragged:
    """Sequences as one array of all steps.

    Parameters
    ----------
    items : sequence of sequences
    form : dict
        ``"kind"``: ``"numbers"`` or ``"tokens"``; ``"channels"``, ``"analyzer"`` as the
        estimator's parameters; ``"owner"``, its name.

    Raises
    ------
    ValueError, TypeError
        For sequences that are missing, or hold something else.
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


def sequence_feeds(X: Any, card: dict[str, Any]) -> dict[str, np.ndarray]:
    """Give the inputs of a model of sequences: texts, or filled-up steps and lengths.

    Parameters
    ----------
    X : n sequences, or array of shape (n, time, ...)
        As the estimator takes them.
    card : dict
        The model's card.

    Raises
    ------
    ValueError, TypeError
        For rows that are not like those of the export.
    """
    form, part = card["sequences"], card["inputs"][0]
    items = as_texts(X) if form["kind"] == "document" else as_items(X)
    if items is None:
        items = objects(list(_rows(X)))
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
            "X holds texts, and held lists of tokens at the export. Split them, or export"
            " with texts."
        )
    ragged = joined(items, form)
    strings = part["dtype"] == "string"
    if len(ragged.values) and (ragged.dtype == object) != strings:
        raise TypeError(
            f"X holds tokens that are {'integers' if strings else 'text'}, unlike those"
            " of the export."
        )
    if form["kind"] == "numbers" and ragged.shape[1] != form["n_channels"]:
        raise ValueError(
            f"X has {ragged.shape[1]} channels, and the model takes"
            f" {form['n_channels']}."
        )
    if not len(ragged.values):  # tokens of no kind
        ragged = ragged.with_values(ragged.values.astype(object if strings else float))
    steps, lengths = ragged.filled()
    dtype = object if strings else part["dtype"]
    return {STEPS: steps.astype(dtype, copy=False), LENGTHS: lengths}


def _rows(X: Any) -> np.ndarray:
    array = np.asarray(X)
    if not array.ndim:
        raise TypeError(
            f"X must hold sequences, as at the export; got {type(X).__name__}. Give a list"
            " of them, or an array."
        )
    return array


def _texts(items: np.ndarray, form: dict[str, Any]) -> np.ndarray:
    refuse_missing_sequences(list(items), form["owner"])
    if not all(isinstance(item, str) for item in items):
        raise TypeError(
            "X must hold texts, as at the export. Join lists of tokens, or export with"
            " such lists."
        )
    return np.array([str(item) for item in items], object)


def row_lengths(
    feeds: dict[str, np.ndarray], card: dict[str, Any]
) -> np.ndarray | None:
    """How many steps each row has, where the model predicts steps; or None for all."""
    form = card.get("sequences")
    if form is None or not card["by_step"]:
        return None
    if LENGTHS in feeds:
        return feeds[LENGTHS]
    texts = list(feeds[STEPS])
    return tokenize(texts, form["analyzer"], form["owner"]).lengths


def true_steps(values: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """The true steps of (n, time, ...), one behind the other; all without lengths."""
    values = np.asarray(values)
    if lengths is None:
        return values.reshape(-1, *values.shape[2:])
    return values[np.arange(values.shape[1]) < lengths[:, None]]


def cut(values: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """The steps of each row, in an object array; as they are without lengths."""
    if lengths is None:
        return values
    return objects([row[:n] for row, n in zip(values, lengths, strict=True)])


def flat_steps(by_row: Any) -> np.ndarray:
    """Predictions of all steps, as an estimator gives them, one behind the other."""
    if is_items(by_row):
        return np.concatenate(list(by_row))
    return true_steps(by_row, None)
