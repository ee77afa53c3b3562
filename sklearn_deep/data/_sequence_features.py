"""Sequences of numbers or tokens, of one length or of many."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_deep.data._features import check_data
from sklearn_deep.data._layout import Layout, spatial_layout
from sklearn_deep.data._lazy_rows import refuse_lazy
from sklearn_deep.data._length_features import LengthFeatures
from sklearn_deep.data._ragged import Ragged, ragged_layout
from sklearn_deep.data._sequence_targets import step_targets
from sklearn_deep.data._sequences import (
    check_numbers,
    is_text,
    join,
    of_one_length,
    sequences_in,
)
from sklearn_deep.data._vocabulary import Codes, Vocabulary, check_tokens, tokenize


class SequenceFeatures(LengthFeatures):
    """Arrays of series, sequences of unequal length, texts and lists of tokens.

    Parameters
    ----------
    owner : str
    channels, tokens, analyzer, vocabulary, max_vocabulary
        Those of the estimator.
    by_step : bool
        Whether each step has a target.
    """

    # Columns of the array of two dimensions that was learnt from, if it was one.
    n_columns: int | None

    def __init__(
        self,
        owner: str,
        channels: str,
        tokens: bool | str,
        analyzer: str,
        vocabulary: Iterable | None,
        max_vocabulary: int | None,
        by_step: bool,
    ):
        super().__init__(owner)
        self.channels, self.tokens, self.analyzer = channels, tokens, analyzer
        self.given_vocabulary, self.max_vocabulary = vocabulary, max_vocabulary
        self.by_step = by_step

    def check(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        owner = self.owner
        if not isinstance(X, str):  # a text in place of texts has an error of its own
            refuse_lazy(X, owner)
        sequences = self._as_sequences(X, reset)
        if sequences is None:
            return self._check_array(X, y, dtype, reset)
        if reset:
            self._refuse_no_steps(sequences)
        if not isinstance(sequences, Codes):
            if self.of_tokens:
                if not reset:
                    sequences = Vocabulary(self.vocabulary).encode(sequences, owner)
            else:
                sequences = check_numbers(sequences, owner, dtype)
                self._check_channels(sequences.shape[1], reset)
        if reset:
            self.n_columns = None
            self._forget_columns()
        return self._with_targets(sequences, y)

    def _as_sequences(self, X: Any, reset: bool) -> Ragged | None:
        """The sequences in X, joined; None for an array of numbers."""
        owner = self.owner
        items = None if isinstance(X, Ragged) else sequences_in(X)
        if reset:
            self.of_tokens = self._takes_tokens(X, items)
        if isinstance(X, Codes):
            return X
        if not self.of_tokens:
            if items is None:
                return X if isinstance(X, Ragged) else None
            n_channels = None if reset else self.n_channels
            return join(items, owner, self.channels, n_channels=n_channels)
        if isinstance(X, Ragged):
            return check_tokens(X, owner)
        if items is None:
            items = list(check_array(X, dtype=None))
        return tokenize(items, self.analyzer, owner)

    def _takes_tokens(self, X: Any, items: list | None) -> bool:
        if self.tokens != "auto":
            return bool(self.tokens)
        if self.given_vocabulary is not None:
            return True
        if items is not None:
            return is_text(items)
        return isinstance(X, Ragged) and (
            X.dtype.kind == "U"
            or (X.dtype.kind == "O" and isinstance(next(iter(X.values), ""), str))
        )

    def _check_array(self, X: Any, y: Any, dtype: Any, reset: bool) -> Any:
        """Validate an array of numbers as scikit-learn does."""
        owner = self.owner
        y_too = None if self.by_step else y
        n_dims = getattr(X, "ndim", None) or np.asarray(X).ndim
        if reset or (n_dims < 3 and self.n_columns is not None):
            checked = check_data(self, X, y_too, dtype, reset=reset, allow_nd=True)
        else:  # other lengths than those of fit are welcome
            checked = self._check_other_lengths(X, y_too, dtype)
        x, *targets = checked if isinstance(checked, tuple) else (checked,)
        layout = spatial_layout(owner, x.shape[1:], None, 1, self.channels)
        if reset:
            self.n_columns = x.shape[1] if x.ndim == 2 else None
        self._check_channels(layout.n_channels, reset)
        if not self.by_step:
            return (x, *targets) if targets else x
        return self._with_targets(of_one_length(x, self.channels), y)

    def _with_targets(self, X: Ragged, y: Any) -> Any:
        if y is None or not self.by_step:
            return super()._with_targets(X, y)
        return X, step_targets(y, X, self.owner)

    def encode_tokens(self, X: Any, rows: Any) -> Any:
        """Learn a vocabulary from ``rows``, where rows are tokens, and encode X."""
        if not self.of_tokens or isinstance(X, Codes):
            return X
        if self.given_vocabulary is None:
            vocabulary = Vocabulary.learn(rows.values, self.max_vocabulary)
        else:
            vocabulary = Vocabulary.given(self.given_vocabulary, self.owner)
            vocabulary = Vocabulary(vocabulary.tokens[: self.max_vocabulary])
        self.vocabulary, self.given_vocabulary = vocabulary.tokens, None
        return vocabulary.encode(X, self.owner)

    def sequences_in(self, X: Any) -> list | None:
        """The sequences that X holds; None for an array."""
        return sequences_in(X)

    def layout(self, X: Any) -> Layout:
        if not isinstance(X, Ragged):
            owner = self.owner
            return spatial_layout(owner, X.shape[1:], None, 1, self.channels)
        if self.of_tokens:
            assert self.vocabulary is not None
            return ragged_layout(len(self.vocabulary) + 1, tokens=True)
        return ragged_layout(self.n_channels)
