"""What estimators of sequences share: the shapes of X that they take, and of y."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
)

from sklearn_deep._arguments import names_unknown_arguments
from sklearn_deep.data._layout import Layout, spatial_layout
from sklearn_deep.data._ragged import Ragged, ragged_layout
from sklearn_deep.data._sequences import (
    check_numbers,
    is_text,
    join,
    sequences_in,
    unpad,
)
from sklearn_deep.data._steps import step_targets
from sklearn_deep.data._vocabulary import Codes, Vocabulary, check_tokens, tokenize
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.estimators._data import FitArguments, Part, check_data, of_steps
from sklearn_deep.estimators._family import LayeredEstimator


class SequenceEstimator(LayeredEstimator):
    """Takes arrays of sequences, sequences of unequal length, and tokens.

    Its parameters ``channels``, ``tokens``, ``analyzer``, ``vocabulary``,
    ``max_vocabulary`` and ``return_sequences`` are those of a network family.
    """

    # What came in when it was fitted: columns, for an array of two dimensions; numbers
    # a step, or tokens; targets of steps.
    _n_columns: int | None
    _n_channels: int
    _of_tokens: bool
    _by_step: bool
    _channels: str
    _analyzer: str
    vocabulary_: Any

    @names_unknown_arguments
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        lengths=None,
        lengths_val=None,
    ):
        """Train a network: a fresh one, or with ``warm_start`` the one there is.

        Parameters
        ----------
        X : array-like of shape (n_samples, time) or (n_samples, time, channels), or \
                n_samples sequences
            Series, with ``channels="first"`` of shape (n_samples, channels, time); a
            list, an object array or a column of sequences of unequal length, each of
            shape (time,) or (time, channels); or text, or lists of tokens.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. With ``return_sequences``, one a step: of shape (n_samples, time)
            or (n_samples, time, n_outputs), or a sequence a row.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. Only their ratios matter; rows of weight 0
            count as removed; labels of a classifier stay in ``classes_``.
        X_val : as X, default=None
            Validation sequences; then nothing is held out of ``X``.
        y_val : as y, default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Validation weights.
        lengths : array-like of int of shape (n_samples,), default=None
            True lengths of the rows of a padded ``X``.
        lengths_val : array-like of int of shape (n_val,), default=None
            True lengths of the rows of a padded ``X_val``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            For input that cannot be used; the message names the sequence at fault.
        TrainingDivergedError
            When the loss or a weight is no longer finite. Then, as after any error,
            the estimator is as it was before the call.
        """
        return super().fit(
            self._cut(X, lengths, channels=self.channels),
            y,
            sample_weight,
            self._cut(X_val, lengths_val, "X_val", self.channels),
            y_val,
            sample_weight_val,
        )

    def _cut(
        self, X: Any, lengths: Any, name: str = "X", channels: str | None = None
    ) -> Any:
        """Padded arrays as sequences of their true lengths; ``channels`` of a fit."""
        if lengths is None:
            return X
        learnt: Any = getattr(self, "_channels", self.channels)
        return unpad(X, lengths, type(self).__name__, channels or learnt, name)

    # Features

    def _check_data(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> Any:
        if reset:  # later changes of the parameters are for the next fit
            self._by_step = bool(self.return_sequences)
            self._channels, self._analyzer = self.channels, self.analyzer
        owner = type(self).__name__
        sequences = self._as_sequences(X, reset)
        if sequences is None:
            return self._check_array(X, y, dtype, reset)
        if reset and not len(sequences.values):
            raise ValueError(
                f"{owner} got empty sequences only: X has no step to learn from. Empty"
                " sequences are rows like others beside those that have steps."
            )
        if not isinstance(sequences, Codes):
            if self._of_tokens:
                if not reset:
                    sequences = Vocabulary(self.vocabulary_).encode(sequences, owner)
            else:
                sequences = check_numbers(sequences, owner, dtype)
                self._check_channels(sequences.shape[1], reset)
        if reset:
            self._n_columns = None
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
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
            with np.errstate(over="ignore"):
                checked = check_array(
                    X,
                    dtype=dtype,
                    order="C",
                    allow_nd=True,
                    estimator=self,
                    input_name="X",
                )
            if y_too is not None:
                y_too = check_array(y, ensure_2d=False, dtype=None, input_name="y")
                check_consistent_length(checked, y_too)
                checked = checked, y_too
        x, *targets = checked if isinstance(checked, tuple) else (checked,)
        layout = spatial_layout(owner, x.shape[1:], None, 1, self._channels)
        if reset:
            self._n_columns = x.shape[1] if x.ndim == 2 else None
        self._check_channels(layout.n_channels, reset)
        if not self._by_step:
            return (x, *targets) if targets else x
        if self._channels == "first" and x.ndim == 3:
            x = x.transpose(0, 2, 1)
        n, time = x.shape[:2]
        values = np.ascontiguousarray(x).reshape(n * time, -1)
        return self._with_targets(Ragged.of_lengths(values, [time] * n), y)

    def _check_channels(self, n_channels: int, reset: bool) -> None:
        if reset:
            self._n_channels = n_channels
        elif n_channels != self._n_channels:
            raise ValueError(
                f"X has {n_channels} channels, but {type(self).__name__} was fitted on"
                f" sequences of {self._n_channels}, with channels={self._channels!r}."
            )

    def _with_targets(self, X: Ragged, y: Any) -> Any:
        """Sequences with their targets, where there are any."""
        if y is None:
            return X
        owner = type(self).__name__
        if self._by_step:
            return X, step_targets(y, X, owner)
        y = check_array(y, ensure_2d=False, dtype=None, allow_nd=True, input_name="y")
        check_consistent_length(X, y)
        return X, y

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

    # Targets: with return_sequences those of all steps, to the hooks of the task, which
    # stands behind this class.

    def _check_y(self, y: Any) -> Any:
        if isinstance(y, Ragged):
            return y.with_values(super()._check_y(y.values))  # type: ignore[safe-super]
        return super()._check_y(y)  # type: ignore[safe-super]

    def _labels(self, y: Any) -> np.ndarray | None:
        y = y.values if isinstance(y, Ragged) else y
        return super()._labels(y)

    def _check_enough(self, part: Part, given: FitArguments) -> None:
        super()._check_enough(of_steps(part), given)  # type: ignore[safe-super]

    def _stratify(self, y: Any) -> np.ndarray | None:
        return None if isinstance(y, Ragged) else super()._stratify(y)

    def _learn_targets(self, y: Any, train: Part, classes: Any) -> Any:
        y = y.values if isinstance(y, Ragged) else y
        train = of_steps(train)
        return super()._learn_targets(y, train, classes)  # type: ignore[safe-super]

    def _row_weights(self, part: Part, targets: Any) -> np.ndarray | None:
        return super()._row_weights(of_steps(part), targets)

    # Predictions

    def _predicted(self, predict: Callable, X: Any, lengths: Any, **kwargs: Any) -> Any:
        """What a method of a task gives for rows, or, in their shape, for all steps."""
        check_is_fitted(self)
        X = self._cut(X, lengths)
        if not self._by_step:
            return predict(X, **kwargs)
        equal = not isinstance(X, Ragged) and sequences_in(X) is None
        X = self._check_data(X, None, self._dtype, reset=False)
        flat = predict(X, **kwargs)
        if isinstance(flat, tuple):
            return tuple(_by_rows(each, X, equal) for each in flat)
        return _by_rows(flat, X, equal)

    def _scored(
        self,
        metric: Callable,
        predict: Callable,
        X: Any,
        y: Any,
        weight: Any,
        lengths: Any,
    ) -> float:
        check_is_fitted(self)
        if y is None:
            raise ValueError(
                f"{type(self).__name__}.score needs y, the true targets; got None."
            )
        X = self._cut(X, lengths)
        if not self._by_step:
            weight = check_sample_weight(weight, len(X))
            return metric(y, predict(X), sample_weight=weight)
        X, targets = self._check_data(X, y, self._dtype, reset=False)
        weight = check_sample_weight(weight, len(X))
        if weight is not None:
            weight = X.repeat(weight)
        return metric(targets.values, predict(X), sample_weight=weight)

    def __sklearn_tags__(self):
        """Say that sparse X is refused, and arrays of three dimensions are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags


def _by_rows(flat: np.ndarray, X: Ragged, equal: bool) -> np.ndarray:
    """Predictions of all steps in the shape of the sequences."""
    if equal:
        return flat.reshape(len(X), -1, *flat.shape[1:])
    return X.with_values(flat).arrays()
