"""Base class of the features of series of any length and of sequences."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from sklearn_deep.data._features import Features, stand_in
from sklearn_deep.data._ragged import Ragged


class LengthFeatures(Features):
    """Rows that may have lengths of their own.

    Attributes
    ----------
    channels : {"last", "first"}
    n_channels : int
        Numbers per step.
    """

    channels: str
    n_channels: int

    def _check_channels(self, n_channels: int, reset: bool) -> None:
        if reset:
            self.n_channels = n_channels
        elif n_channels != self.n_channels:
            raise ValueError(
                f"X has {n_channels} channels, but {self.owner} was fitted on"
                f" sequences of {self.n_channels}, with channels={self.channels!r}."
            )

    def _refuse_no_steps(self, sequences: Ragged) -> None:
        """Raise where no sequence of a fit has a step."""
        if not len(sequences.values):
            raise ValueError(
                f"{self.owner} got empty sequences only: X has no step to learn"
                " from. Empty sequences are rows like others beside those that have"
                " steps."
            )

    def _check_other_lengths(self, X: Any, y: Any, dtype: Any) -> Any:
        """Validate arrays whose rows have not the shape of those of the fit."""
        with np.errstate(over="ignore"):
            X = check_array(
                X,
                dtype=dtype,
                order="C",
                allow_nd=True,
                estimator=stand_in(self),
                input_name="X",
            )
        if y is None:
            return X
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(X, y)
        return X, y

    def _with_targets(self, X: Ragged, y: Any) -> Any:
        """Sequences with their targets, where there are any."""
        if y is None:
            return X
        y = check_array(y, ensure_2d=False, dtype=None, allow_nd=True, input_name="y")
        check_consistent_length(X, y)
        return X, y

    def _forget_columns(self) -> None:
        """Sequences have no number of features."""
        self.n_features_in = self.feature_names_in = None
