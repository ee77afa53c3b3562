"""What the user gives as sequences: lists, object arrays, columns, padded arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_deep.data._missing import is_missing, refuse_missing_sequences
from sklearn_deep.data._ragged import Ragged

_NUMBERS = "biuf"
_TEXT = "US"


def sequences_in(X: Any) -> list | None:
    """The sequences of a container of sequences; None for an array of numbers.

    A list of arrays holds sequences, a list of lists of numbers does only where they
    are of unequal length: else it is an array as scikit-learn takes it.
    """
    if isinstance(X, (list, tuple)):
        return list(X) if len(X) and _are_sequences(X) else None
    if hasattr(X, "columns"):
        if len(X.columns) != 1:
            return None
        X = X[X.columns[0]]
    if not isinstance(X, np.ndarray):
        if not (hasattr(X, "to_numpy") and hasattr(X, "dtype")):
            return None
        if str(X.dtype).startswith(("int", "float", "Int", "Float", "UInt", "bool")):
            return None
        X = X.to_numpy()
    if X.ndim == 2 and X.dtype.kind == "O" and X.shape[1] == 1:
        X = X[:, 0]
    if X.ndim == 2 and X.dtype.kind in _TEXT:
        return list(X)
    if X.ndim != 1 or X.dtype.kind not in "O" + _TEXT or not len(X):
        return None
    return list(X) if is_sequence(_first_present(X)) else None


def is_sequence(item: Any) -> bool:
    """Tell whether an item may be a sequence of steps, or text."""
    if isinstance(item, (str, list, tuple)):
        return True
    return not isinstance(item, (bytes, Mapping)) and np.ndim(item) > 0


def _first_present(items: Sequence) -> Any:
    """The first item that is not missing; an empty text where all are."""
    sequences = (str, list, tuple, np.ndarray)
    return next((i for i in items if isinstance(i, sequences) or not is_missing(i)), "")


def _are_sequences(items: Sequence) -> bool:
    first = _first_present(items)
    if not is_sequence(first):
        return False
    if not isinstance(first, (list, tuple)):
        return True
    if any(
        isinstance(item, (list, tuple)) and len(item) != len(first) for item in items
    ):
        return True
    return not len(first) or isinstance(first[0], str)


def is_text(items: Sequence) -> bool:
    """Tell whether sequences are of text: bare strings, or lists of strings."""
    with_steps = (item for item in items if hasattr(item, "__len__") and len(item))
    first: Any = next(with_steps, _first_present(items))
    if isinstance(first, str):
        return True
    if hasattr(first, "dtype"):
        first = np.asarray(first)
        if first.dtype.kind != "O":
            return first.dtype.kind in _TEXT
        first = first.ravel().tolist()
    return len(first) > 0 and isinstance(_first_present(first), str)


def join(
    items: Sequence,
    owner: str,
    channels: str,
    name: str = "X",
    n_channels: int | None = None,
) -> Ragged:
    """Arrays of shape (time,) or (time, channels), or with channels first, as one.

    Parameters
    ----------
    n_channels : int or None
        Where no sequence has a step; None for 1.

    Returns
    -------
    Ragged
        With values of shape (n_steps, n_channels).

    Raises
    ------
    ValueError
        For a sequence that has another number of channels than the first.
    """
    refuse_missing_sequences(items, owner, name)
    arrays: list[np.ndarray] = []
    first = None
    for i, item in enumerate(items):
        array = _array(item, owner, f"{name}[{i}]")
        if array.ndim == 1:
            array = array[:, None]
        elif channels == "first":
            array = array.T
        arrays.append(array)
        if not array.shape[0]:
            continue  # it has no steps, and need not tell its channels
        first = i if first is None else first
        if array.shape[1] != arrays[first].shape[1]:
            raise ValueError(
                f"{name}[{i}] of {owner} has {array.shape[1]} channels, and"
                f" {name}[{first}] has {arrays[first].shape[1]}. All sequences must have"
                f" as many, in arrays of shape {_shapes(channels)} as"
                f" channels={channels!r} says."
            )
    lengths = [len(array) for array in arrays]
    if first is None:
        return Ragged.of_lengths(np.empty((0, n_channels or 1)), lengths)
    return Ragged.of_lengths(np.concatenate([a for a in arrays if len(a)]), lengths)


def _shapes(channels: str) -> str:
    last = "(time, channels)" if channels == "last" else "(channels, time)"
    return f"(time,) or {last}"


def _array(item: Any, owner: str, name: str) -> np.ndarray:
    try:
        array = np.asarray(item)
    except ValueError as error:  # steps of unequal width
        raise ValueError(
            f"{name} of {owner} is no array: its steps differ in length ({error})."
        ) from error
    if array.dtype.kind in _TEXT:
        raise ValueError(
            f"{name} of {owner} holds what is no number: text. Text is tokens: set"
            " tokens=True before fit, or leave it at 'auto'."
        )
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{name} of {owner} has shape {array.shape}; a sequence is an array of one"
            " or two dimensions."
        )
    return array


def unpad(X: Any, lengths: Any, owner: str, channels: str, name: str = "X") -> Ragged:
    """The true steps of padded arrays; what lies behind them is not looked at.

    Parameters
    ----------
    X : array-like of shape (n, time), (n, time, channels) or (n, channels, time)
    lengths : array-like of int of shape (n,)
        True lengths.

    Returns
    -------
    Ragged
        With values of shape (n_steps, ...).
    """
    X = np.asarray(X)
    if X.ndim not in (2, 3):
        raise ValueError(
            f"{name} of {owner} has shape {X.shape}; lengths go with padded arrays of"
            " two or three dimensions. Sequences of unequal length need none."
        )
    if channels == "first" and X.ndim == 3:
        X = X.transpose(0, 2, 1)
    n, longest = X.shape[:2]
    given = np.asarray(lengths)
    if given.shape != (n,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"lengths of {owner} must be {n} integers, one a row of {name}; got shape"
            f" {given.shape} and dtype {given.dtype}."
        )
    wrong = (given < 0) | (given > longest)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(
            f"lengths[{i}] of {owner} is {given[i]}; it must lie between 0 and"
            f" {longest}, the padded length of {name}."
        )
    return Ragged.of_lengths(X[np.arange(longest) < given[:, None]], given)


def of_one_length(x: np.ndarray, channels: str) -> Ragged:
    """Series of one length, (n, time) or of three dimensions, as sequences."""
    if channels == "first" and x.ndim == 3:
        x = x.transpose(0, 2, 1)
    n, time = x.shape[:2]
    n_channels = x.shape[2] if x.ndim == 3 else 1
    values = np.ascontiguousarray(x).reshape(n * time, n_channels)
    return Ragged.of_lengths(values, [time] * n)


def check_numbers(ragged: Ragged, owner: str, dtype: Any, name: str = "X") -> Ragged:
    """Validate numeric steps, and cast them.

    Parameters
    ----------
    dtype : numpy.dtype or list of dtypes
        A list keeps a dtype that is in it, and else takes its first.

    Returns
    -------
    Ragged
        With values of shape (n_steps, n_channels).

    Raises
    ------
    ValueError, TypeError
        For text, complex numbers, and NaN or infinity, which overflow is among.
    """
    values = ragged.values
    values = values[:, None] if values.ndim == 1 else values
    if values.dtype.kind not in _NUMBERS:
        values = _numbers(ragged.with_values(values), owner, name)
    wanted = dtype if isinstance(dtype, list) else [dtype]
    if values.dtype not in wanted:
        with np.errstate(over="ignore"):  # found as an infinity, with a proper error
            values = values.astype(wanted[0])
    values = np.ascontiguousarray(values)
    finite = np.isfinite(values)
    if not finite.all():
        step, channel = np.argwhere(~finite)[0]
        row = ragged.row_of(step)
        what = "NaN" if np.isnan(values[step, channel]) else "infinity"
        raise ValueError(
            f"{name}[{row}] of {owner} contains {what} (or a value too large for"
            f" {values.dtype}) at time {step - ragged.offsets[row]}, channel {channel}."
            " Fill it first, or leave the sequence out."
        )
    return ragged.with_values(values)


def _numbers(ragged: Ragged, owner: str, name: str) -> np.ndarray:
    if ragged.values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} of {owner} is complex.")
    for row, array in enumerate(ragged.arrays()):
        try:
            array.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{name}[{row}] of {owner} holds what is no number ({error}). Sequences"
                " of text are tokens: set tokens=True, or leave it at 'auto'."
            ) from error
    return ragged.values.astype(np.float64)
