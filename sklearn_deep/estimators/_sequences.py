"""What estimators of sequences share: the shapes of X that they take, and of y."""

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_deep.data._layout import Layout, spatial_layout
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
from sklearn_deep.estimators._data import Part, check_data
from sklearn_deep.estimators._family import LayeredEstimator
from sklearn_deep.estimators._lengths import TakesLengths


class SequenceEstimator(TakesLengths, LayeredEstimator):
    """Takes arrays of sequences, sequences of unequal length, and tokens.

    Its parameters ``channels``, ``tokens``, ``analyzer``, ``vocabulary``,
    ``max_vocabulary`` and ``return_sequences`` are those of a network family.
    """

    # Columns of the array of two dimensions that it was fitted on, if it was.
    _n_columns: int | None
    vocabulary_: Any

    # Features

    def _check_data(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        if reset:  # later changes of the parameters are for the next fit
            self._by_step = bool(self.return_sequences)
            self._channels, self._analyzer = self.channels, self.analyzer
        owner = type(self).__name__
        sequences = self._as_sequences(X, reset)
        if sequences is None:
            return self._check_array(X, y, dtype, reset)
        if reset:
            self._refuse_no_steps(sequences)
        if not isinstance(sequences, Codes):
            if self._of_tokens:
                if not reset:
                    sequences = Vocabulary(self.vocabulary_).encode(sequences, owner)
            else:
                sequences = check_numbers(sequences, owner, dtype)
                self._check_channels(sequences.shape[1], reset)
        if reset:
            self._n_columns = None
            self._forget_columns()
        return self._with_targets(sequences, y)

    def _as_sequences(self, X: Any, reset: bool) -> Ragged | None:
        """The sequences in X, joined; None for an array of numbers."""
        owner = type(self).__name__
        items = None if isinstance(X, Ragged) else sequences_in(X)
        if reset:
            self._of_tokens = self._takes_tokens(X, items)
        if isinstance(X, Codes):
            return X
        if not self._of_tokens:
            if items is None:
                return X if isinstance(X, Ragged) else None
            n_channels = None if reset else self._n_channels
            return join(items, owner, self._channels, n_channels=n_channels)
        if isinstance(X, Ragged):
            return check_tokens(X, owner)
        if items is None:
            items = list(check_array(X, dtype=None))
        return tokenize(items, self._analyzer, owner)

    def _takes_tokens(self, X: Any, items: list | None) -> bool:
        if self.tokens != "auto":
            return bool(self.tokens)
        if self.vocabulary is not None:
            return True
        if items is not None:
            return is_text(items)
        return isinstance(X, Ragged) and (
            X.dtype.kind == "U"
            or (X.dtype.kind == "O" and isinstance(next(iter(X.values), ""), str))
        )

    def _check_array(self, X: Any, y: Any, dtype: Any, reset: bool) -> Any:
        """Validate an array of numbers as scikit-learn does."""
        owner = type(self).__name__
        y_too = None if self._by_step else y
        n_dims = getattr(X, "ndim", None) or np.asarray(X).ndim
        if reset or (n_dims < 3 and self._n_columns is not None):
            checked = check_data(self, X, y_too, dtype, reset=reset, allow_nd=True)
        else:  # other lengths than those of fit are welcome
            checked = self._check_other_lengths(X, y_too, dtype)
        x, *targets = checked if isinstance(checked, tuple) else (checked,)
        layout = spatial_layout(owner, x.shape[1:], None, 1, self._channels)
        if reset:
            self._n_columns = x.shape[1] if x.ndim == 2 else None
        self._check_channels(layout.n_channels, reset)
        if not self._by_step:
            return (x, *targets) if targets else x
        return self._with_targets(of_one_length(x, self._channels), y)

    def _with_targets(self, X: Ragged, y: Any) -> Any:
        if y is None or not self._by_step:
            return super()._with_targets(X, y)
        return X, step_targets(y, X, type(self).__name__)

    def _learn_features(self, part: Part) -> Part:
        if not self._of_tokens:
            self.vocabulary_ = None
            return part
        if isinstance(part.X, Codes):
            return part
        owner = type(self).__name__
        if self.vocabulary is None:
            seen = part.features().values
            vocabulary = Vocabulary.learn(seen, self.max_vocabulary)
        else:
            vocabulary = Vocabulary.given(self.vocabulary, owner)
            vocabulary = Vocabulary(vocabulary.tokens[: self.max_vocabulary])
        self.vocabulary_ = vocabulary.tokens
        return replace(part, X=vocabulary.encode(part.X, owner))

    def _layout(self, X: Any) -> Layout:
        if not isinstance(X, Ragged):
            owner = type(self).__name__
            return spatial_layout(owner, X.shape[1:], None, 1, self._channels)
        if self._of_tokens:
            return ragged_layout(len(self.vocabulary_) + 1, tokens=True)
        return ragged_layout(self._n_channels)

    def __sklearn_tags__(self):
        """Say that sparse X is refused, and arrays of three dimensions are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags
