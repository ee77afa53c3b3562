"""Tokens to codes: text is split, and each token looked up in a vocabulary."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_deep._params import Number
from sklearn_deep.data._missing import is_missing, refuse_missing_sequences
from sklearn_deep.data._ragged import Ragged

# The code of every token that is not in the vocabulary.
UNKNOWN = 0

_INTEGER = Number(Integral)

ANALYZERS: dict[str, Callable[[str], list[str]]] = {"char": list, "word": str.split}


def tokenize(items: Sequence, analyzer: str, owner: str, name: str = "X") -> Ragged:
    """Split bare strings; join lists of strings or integers.

    Parameters
    ----------
    analyzer : {"char", "word"}
        Each character of a string is a token, or what whitespace separates. Nothing is
        changed in case: ONNX can do the same.

    Returns
    -------
    Ragged
        With values of shape (n_steps,): characters, strings (objects) or integers.

    Raises
    ------
    ValueError, TypeError
        For what is missing, or is neither text nor integers.
    """
    refuse_missing_sequences(items, owner, name)
    bare = [isinstance(item, str) for item in items]
    if any(bare) and not all(bare):
        i = bare.index(not bare[0])
        raise TypeError(
            f"{name}[{i}] of {owner} is {'text' if bare[i] else 'a list of tokens'},"
            f" unlike {name}[0]. All must be text, or all lists of tokens."
        )
    if bare[0] and analyzer == "char":
        lengths = [len(item) for item in items]
        joined = "".join(items).encode("utf-32-le", "surrogatepass")
        values = np.frombuffer(joined, "<U1")
    else:
        lists = [ANALYZERS[analyzer](i) for i in items] if bare[0] else items
        lengths = [len(item) for item in lists]
        values = _flat(lists)
    ragged = Ragged.of_lengths(values, lengths)
    return check_tokens(ragged, owner, name)


def _flat(lists: Sequence) -> np.ndarray:
    if all(isinstance(item, np.ndarray) and item.dtype.kind in "iu" for item in lists):
        return np.concatenate(lists)
    flat = [token for item in lists for token in item]
    if flat and not isinstance(flat[0], str):
        array = np.array(flat)
        if array.dtype.kind in "iu":
            return array
    out = np.empty(len(flat), object)
    out[:] = flat
    return out


def check_tokens(ragged: Ragged, owner: str, name: str = "X") -> Ragged:
    """Make sure that steps are all strings or all integers."""
    values = ragged.values
    if not len(values):
        return ragged.with_values(np.empty(0, object))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind == "U" and values.dtype.itemsize > 4:
        values = values.astype(object)
    tokens = values.ravel().tolist() if values.dtype.kind == "O" else []
    odd = next((i for i, t in enumerate(tokens) if not isinstance(t, str)), None)
    if odd is not None:
        _refuse_missing_tokens(ragged, tokens, owner, name)
        whole = np.array(values.tolist())
        values = whole if whole.dtype.kind in "iu" else values
    if values.ndim != 1 or values.dtype.kind not in "iuUO":
        raise TypeError(
            f"{name} of {owner} holds {values.dtype} values of shape"
            f" {values.shape[1:]} per step; a token is a string or an integer."
        )
    if values.dtype == np.uint64 and (values > np.iinfo(np.int64).max).any():
        raise TypeError(
            f"{name} of {owner} contains the token {values.max()}. Integer tokens must be"
            " below 2**63."
        )
    if values.dtype.kind == "O" and odd is not None:
        raise TypeError(
            f"{name}[{ragged.row_of(odd)}] of {owner} holds {tokens[odd]!r}. Tokens"
            " are all strings, or all integers."
        )
    return ragged.with_values(values)


def _refuse_missing_tokens(ragged: Ragged, tokens: list, owner: str, name: str) -> None:
    missing = [step for step, token in enumerate(tokens) if is_missing(token)]
    if not missing or len(tokens) != len(ragged.values):
        return
    step, row = missing[0], ragged.row_of(missing[0])
    more = f", and so are {len(missing) - 1} more tokens" if missing[1:] else ""
    raise ValueError(
        f"{name}[{row}][{step - ragged.offsets[row]}] of {owner} is missing"
        f" ({tokens[step]!r}){more}: fill it with a token of its own, or leave it out."
    )


class Codes(Ragged):
    """Sequences whose tokens have been looked up."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that have a code of their own, from 1 on; others have code 0.

    Attributes
    ----------
    tokens : ndarray of shape (n_tokens,)
        Strings (objects), or integers.
    """

    tokens: np.ndarray

    @classmethod
    def learn(cls, values: np.ndarray, max_size: int | None) -> "Vocabulary":
        """The most frequent tokens first; those as frequent in their own order."""
        if values.dtype.kind == "O":
            counts = Counter(values.tolist())
            tokens: Any = sorted(counts)
            frequency = np.array([counts[token] for token in tokens])
        else:
            tokens, frequency = np.unique(_numbers(values), return_counts=True)
            if values.dtype.kind == "U":
                tokens = [chr(code) for code in tokens]
        order = np.argsort(-frequency, kind="stable")[:max_size]
        return cls(_as_tokens([tokens[i] for i in order]))

    @classmethod
    def given(cls, tokens: Iterable, owner: str) -> "Vocabulary":
        """Take the user's own tokens, in their order.

        Raises
        ------
        ValueError, TypeError
            For none, one that comes twice, or what is neither string nor integer.
        """
        listed = list(tokens)
        strings = all(isinstance(token, str) for token in listed)
        integers = all(map(_INTEGER.allows, listed))
        if not listed or not (strings or integers):
            raise TypeError(
                f"vocabulary of {owner} must hold strings, or integers of 64 bits; got"
                f" {listed[:5]!r}."
            )
        twice = [token for token, count in Counter(listed).items() if count > 1]
        if twice:
            raise ValueError(
                f"vocabulary of {owner} names {twice[:5]} more than once; each token"
                " has one code."
            )
        return cls(_as_tokens(listed))

    @property
    def n_codes(self) -> int:
        """Number of codes, the one of unknown tokens among them."""
        return len(self.tokens) + 1

    @property
    def of_text(self) -> bool:
        """Whether tokens are strings."""
        return self.tokens.dtype.kind == "O"

    def encode(self, ragged: Ragged, owner: str) -> Codes:
        """Tokens to codes, int64."""
        return Codes(self.codes(ragged.values, owner), ragged.offsets)

    def codes(self, values: np.ndarray, owner: str) -> np.ndarray:
        """Tokens of shape (n,) to codes."""
        if not len(values):
            return np.empty(0, np.int64)
        if (values.dtype.kind in "UO") != self.of_text:
            is_, was = (
                ("text", "integers") if not self.of_text else ("integers", "text")
            )
            raise TypeError(
                f"X of {owner} holds tokens that are {is_}; the vocabulary is of {was}."
            )
        if values.dtype.kind == "O":
            codes = self._codes
            looked_up = [codes.get(token, UNKNOWN) for token in values.tolist()]
            return np.array(looked_up, np.int64)
        known, codes_of = self._sorted
        if not len(known):
            return np.full(len(values), UNKNOWN)
        numbers = _numbers(values).astype(np.int64, copy=False)
        place = np.searchsorted(known, numbers).clip(max=len(known) - 1)
        return np.where(known[place] == numbers, codes_of[place], UNKNOWN)

    @cached_property
    def _codes(self) -> dict[Any, int]:
        return {token: code for code, token in enumerate(self.tokens.tolist(), 1)}

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Integers, or characters as such, sorted, with their codes."""
        pairs = [
            (ord(token) if self.of_text else token, code)
            for token, code in self._codes.items()
            if not self.of_text or len(token) == 1
        ]
        known, codes = zip(*sorted(pairs), strict=True) if pairs else ((), ())
        return np.array(known, np.int64), np.array(codes, np.int64)


def _numbers(values: np.ndarray) -> np.ndarray:
    """Characters by their code points; integers as they are."""
    return values.view(np.uint32) if values.dtype.kind == "U" else values


def _as_tokens(tokens: list) -> np.ndarray:
    if tokens and not isinstance(tokens[0], str):
        return np.array(tokens, np.int64)
    out = np.empty(len(tokens), object)
    out[:] = tokens
    return out
