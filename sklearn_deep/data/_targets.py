"""Targets to tensors and back: class codes, indicator rows, standardised numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d


def check_class_targets(y: Any) -> np.ndarray:
    """Validate the targets of a classifier.

    Returns
    -------
    y : ndarray of shape (n_samples,), or (n_samples, n_labels) of 0 and 1
    """
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multilabel-indicator":
        dense = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        return dense.astype(np.int8, copy=False)
    if kind.startswith("multiclass-multioutput"):
        raise ValueError(
            "y has several columns with more than two classes each. Encode it as a"
            " multilabel indicator (0 and 1), or wrap the estimator in a"
            " sklearn.multioutput.MultiOutputClassifier."
        )
    return column_or_1d(y, warn=True)


def check_real_targets(y: Any) -> np.ndarray:
    """Validate the targets of a regressor, of shape (n,) or (n, n_targets)."""
    y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
    if y.dtype.kind in "mM":
        raise TypeError(
            f"y holds dates or durations (dtype {y.dtype}), and a regressor predicts"
            " numbers. Convert it first, a duration to seconds, for instance."
        )
    if y.dtype == np.longdouble:
        y = y.astype(np.float64)
    if y.ndim > 2:
        raise ValueError(
            f"y must have 1 or 2 dimensions, (n_samples,) or (n_samples, n_targets);"
            f" got shape {y.shape}."
        )
    if not np.issubdtype(y.dtype, np.floating):
        y = y.astype(np.float64)
    return y


@dataclass(frozen=True)
class ClassTargets:
    """Class labels as codes.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels; label numbers for multilabel targets.
    kind : {"sigmoid", "softmax"}
        Kind of output that predicts them.
    multilabel : bool
        Whether a row may have several labels.
    """

    classes: np.ndarray
    multilabel: bool

    @classmethod
    def learn(cls, y: np.ndarray, classes: Any = None) -> "ClassTargets":
        """Learn the labels from validated targets, or take the ones given."""
        if y.ndim == 2:
            return cls(np.arange(y.shape[1]), True)
        return cls(np.unique(y if classes is None else np.asarray(classes)), False)

    @property
    def n_columns(self) -> int:
        """Number of columns of y."""
        return len(self.classes) if self.multilabel else 1

    @property
    def kind(self) -> str:
        """Kind of output, as in the table of losses."""
        return "sigmoid" if self.multilabel or len(self.classes) <= 2 else "softmax"

    @property
    def n_outputs(self) -> int:
        """Number of logits."""
        binary = not self.multilabel and len(self.classes) <= 2
        return 1 if binary else len(self.classes)

    def codes(self, y: np.ndarray, name: str = "y") -> np.ndarray:
        """Labels as places in ``classes``; multilabel rows as they are.

        Raises
        ------
        ValueError
            For a label that is not among the classes, or another number of labels.
        """
        if self.multilabel:
            if y.ndim != 2 or y.shape[1] != len(self.classes):
                raise ValueError(
                    f"{name} has shape {y.shape}; this network was set up for"
                    f" {len(self.classes)} labels, (n_samples, {len(self.classes)})."
                )
            return y
        if y.ndim != 1:
            raise ValueError(
                f"{name} has shape {y.shape}; this network was set up for one label a"
                " row, (n_samples,)."
            )
        known = np.isin(y, self.classes)
        if not known.all():
            strange = np.unique(y[~known])[:5].tolist()
            raise ValueError(
                f"{name} holds labels {strange} that are not among the classes"
                f" {self.classes.tolist()[:10]}. Check the split that made it; labels"
                " that come later must be named in the classes of partial_fit."
            )
        return np.searchsorted(self.classes, y)

    def encode(self, y: np.ndarray, dtype: Any, name: str = "y") -> np.ndarray:
        """Labels to codes (n,) for softmax, or to 0 and 1 (n, n_outputs) for sigmoid."""
        codes = self.codes(y, name)
        if self.multilabel:
            return codes.astype(dtype)
        return codes[:, None].astype(dtype) if self.kind == "sigmoid" else codes

    def decode(self, decision: np.ndarray) -> np.ndarray:
        """Logits of shape (n, n_outputs) to labels."""
        if self.multilabel:
            return (decision > 0).astype(np.int64)
        if self.kind == "sigmoid":
            return self.classes[(decision[:, 0] > 0).astype(np.intp)]
        return self.classes[decision.argmax(1)]


@dataclass(frozen=True)
class RealTargets:
    """Numbers, standardised per column: their scale does not change training.

    Attributes
    ----------
    center, scale : ndarray of shape (n_targets,)
        In the user's units; ``encoded = (y - center) / scale``.
    flat : bool
        Whether the user's targets are of shape (n,).
    dtype : str
        Name of the floating dtype of the user's targets.
    scaling : {"standard", "mean", None}
        How they are scaled, see ``LossRow``.
    """

    center: np.ndarray
    scale: np.ndarray
    flat: bool
    dtype: str
    scaling: str | None

    @classmethod
    def learn(
        cls, y: np.ndarray, weight: np.ndarray | None, scaling: str | None
    ) -> "RealTargets":
        """Learn centre and scale from validated targets.

        Raises
        ------
        ValueError
            With ``scaling="mean"`` for a column without a positive mean.
        """
        columns = y.reshape(len(y), -1).astype(np.float64, copy=False)
        # Moments of the quotient by the largest value: its square cannot overflow.
        top = np.abs(columns).max(0)
        top[top == 0] = 1.0
        columns = columns / top
        mean = np.average(columns, axis=0, weights=weight)
        if scaling == "mean":
            if (mean <= 0).any():
                raise ValueError(
                    "loss='poisson' needs targets y >= 0 with a positive mean; got a"
                    f" minimum of {y.min():g} and means {(mean * top).tolist()}."
                )
            center, scale = np.zeros_like(mean), mean
        else:
            # Deviations of a large constant column are rounding errors, not spread.
            center = mean
            scale = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))
            scale[scale <= 1e-12 * np.abs(mean)] = 0.0
        # A spread below the smallest normal number cannot be divided by.
        scale = scale * top
        scale[scale < np.finfo(scale.dtype).tiny] = 1.0
        return cls(center * top, scale, y.ndim == 1, y.dtype.name, scaling)

    @property
    def kind(self) -> str:
        """Kind of output, as in the table of losses."""
        return "real"

    @property
    def n_columns(self) -> int:
        """Number of columns of y."""
        return self.n_outputs

    @property
    def n_outputs(self) -> int:
        """Number of targets."""
        return len(self.center)

    def codes(self, y: np.ndarray) -> np.ndarray:
        """The targets themselves."""
        return y

    def encode(self, y: np.ndarray, dtype: Any, name: str = "y") -> np.ndarray:
        """Standardise targets; the result has shape (n, n_targets).

        Raises
        ------
        ValueError
            For another number of targets, or with ``scaling="mean"`` for negative ones.
        """
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise ValueError(
                f"{name} has {columns.shape[1]} columns; this network was set up for"
                f" {self.n_outputs}."
            )
        if self.scaling == "mean" and (columns < 0).any():
            raise ValueError(
                f"loss='poisson' needs targets {name} >= 0; got a minimum of {y.min():g}."
            )
        return ((columns - self.center) / self.scale).astype(dtype, copy=False)

    def decode(self, location: np.ndarray) -> np.ndarray:
        """Standardised predictions to the user's units and shape.

        They are of shape (n, n_targets), perhaps with further axes behind.
        """
        return self._in_units(location, self.center)

    def decode_spread(self, spread: np.ndarray) -> np.ndarray:
        """Standardised standard deviations to the user's units and shape."""
        return self._in_units(spread, 0.0)

    def _in_units(self, scaled: np.ndarray, center: Any) -> np.ndarray:
        dtype = np.result_type(scaled.dtype, self.dtype)
        columns = (-1, *[1] * (scaled.ndim - 2))
        scale, center = self.scale.reshape(columns), np.reshape(center, columns)
        with np.errstate(over="ignore"):  # found as an infinity, with a proper error
            values = (scaled * scale + center).astype(dtype, copy=False)
        if not np.isfinite(values).all():
            n_bad = int((~np.isfinite(values)).reshape(len(values), -1).any(1).sum())
            raise ValueError(
                f"The predictions of {n_bad} of {len(values)} rows overflow {dtype} in"
                " the units of y. Scale X, or y with a TransformedTargetRegressor."
            )
        return values[:, 0] if self.flat else values
