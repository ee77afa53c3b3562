"""What comes in through ``fit``, validated and split; rows are index arrays."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from sklearn_deep.data._copies import copies
from sklearn_deep.data._features import Features
from sklearn_deep.data._missing import refuse_missing_targets
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._row_view import RowView
from sklearn_deep.data._rows import merge_equal_rows
from sklearn_deep.data._split import split_without_copies
from sklearn_deep.data._tasks import Settings, Task
from sklearn_deep.data._weights import check_sample_weight
from sklearn_deep.estimators.core._hooks import NetworkHooks
from sklearn_deep.nn._losses import LOSSES


class FitArguments(NamedTuple):
    """What the user passed to ``fit`` or ``partial_fit``."""

    X: Any
    y: Any
    sample_weight: Any = None
    X_val: Any = None
    y_val: Any = None
    sample_weight_val: Any = None
    classes: Any = None
    incremental: bool = False
    # Features that have learnt before, from other rows; None learns from these.
    features: Features | None = None
    # A task in place of the estimator's own; it makes its loss itself.
    task: Any = None
    # A ``Stream`` of all rows, of which X and y are a sample.
    stream: Any = None


@dataclass(frozen=True)
class Part:
    """Rows of a fit: the training part or the validation part.

    Attributes
    ----------
    X : ndarray of shape (n_all, ...) or CSR matrix
        Shared by the parts; in the compute dtype, or pixels of 8 bits.
    y : ndarray of shape (n_rows,) or (n_rows, n_targets)
        In the user's labels or units.
    weight : ndarray of shape (n_rows,) or None
        Sample weights, all positive.
    index : ndarray of shape (n_rows,) or None
        Where the rows are in ``X``; None for all, in order.
    dtype : numpy.dtype
        The compute dtype.
    name : str
        What the user calls ``y``, for errors.
    labels : ndarray of shape (n_classes,) or None
        Sorted labels of a classifier, those of rows of weight zero among them.
    """

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    dtype: np.dtype
    index: np.ndarray | None = None
    name: str = "y"
    labels: np.ndarray | None = None

    @classmethod
    def make(
        cls,
        X: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        dtype: np.dtype,
        name: str = "y",
    ) -> "Part":
        """All rows but those of weight zero, which are never trained on."""
        if isinstance(X, RowView):  # a fold of a search
            part = cls(X.shared.values, y, weight, dtype, X.rows, name)
        else:
            part = cls(X, y, weight, dtype, name=name)
        if weight is not None and not weight.all():
            part = part.take(np.flatnonzero(weight))
        if isinstance(part.y, Ragged) and not part.y.lengths.all():
            # A target a step, and no step: nothing to learn from, or to score.
            part = part.take(np.flatnonzero(part.y.lengths))
        # Equal weights are as none, to the last bit: a weighted mean is rounded otherwise.
        if part.weight is not None and (part.weight == part.weight[:1]).all():
            part = replace(part, weight=None)
        return part

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Part":
        """Some of these rows."""
        weight = None if self.weight is None else self.weight[rows]
        index = rows if self.index is None else self.index[rows]
        return replace(self, y=self.y[rows], weight=weight, index=index)

    def features(self) -> Any:
        """These rows of X; a copy, where they are not all of it."""
        return self.X if self.index is None else self.X[self.index]

    def split(
        self, fraction: float, seed: int, stratify: np.ndarray | None
    ) -> tuple["Part", "Part"]:
        """Set a share of the rows aside; copies of a row stay together."""
        numbers = copies(self.X, self.y, self.index)
        train, aside = split_without_copies(numbers, fraction, seed, stratify)
        return self.take(train), self.take(aside)

    def merged(self, codes: np.ndarray) -> "Part":
        """Equal rows as one with the sum of their weights, in canonical order."""
        X = self.features()
        if sp.issparse(X):
            X = X.tocsr()
        rows, weight = merge_equal_rows(X, codes, self.weight)
        equal = bool((weight == weight[0]).all())
        return replace(
            self,
            X=X[rows],
            y=self.y[rows],
            weight=None if equal else weight,
            index=None,
        )


def of_steps(part: Part) -> Part:
    """Steps in place of rows, where every step has a target; X stays as it is."""
    if not isinstance(part.y, Ragged):
        return part
    weight = None if part.weight is None else part.y.repeat(part.weight)
    return replace(part, y=part.y.values, weight=weight)


class Split(NamedTuple):
    """Validated rows of a fit, and how they were split.

    Attributes
    ----------
    features : Features
        What was learnt about X.
    whole, train : Part
    validation : Part or None
    """

    features: Features
    whole: Part
    train: Part
    validation: Part | None


def validate(
    task: Task, features: Features, given: FitArguments, dtype: Any, *, fresh: bool
) -> Part:
    """Validate the rows of a fit; ``features`` learn from them where they are fresh."""
    owner = features.owner
    if given.y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    refuse_missing_targets(given.y, owner)
    X, y = task.check_rows(features, given.X, given.y, dtype, reset=fresh)
    weight = check_sample_weight(given.sample_weight, X.shape[0])
    part = Part.make(X, y, weight, compute_dtype(X, dtype))
    if fresh or not given.incremental:
        # Of all rows: a bag or a fold may give every row of a class weight zero, and
        # ensembles count on the class being in classes_, as in all of scikit-learn.
        labels = task.classes(y) if given.stream is None else given.classes
        part = replace(part, labels=labels)
    if not given.incremental:
        task.check_classes(part.labels)
    if not fresh:
        return part
    return replace(part, X=features.encode_tokens(part.X, part.features()))


def learn_features(split: Split) -> Split:
    """Let the features learn from the training rows, and encode both parts."""
    features, whole, train, validation = split
    X = features.learn(whole.X, train.index, train.weight)
    if X is whole.X:
        return split
    if validation is not None:
        of_whole = validation.X is whole.X
        own = X if of_whole else features.encode(validation.X, whole.dtype)
        validation = replace(validation, X=own)
    return Split(features, replace(whole, X=X), replace(train, X=X), validation)


def task_settings(estimator: NetworkHooks) -> Settings:
    """Parameters that the task reads."""
    loss = LOSSES.get((estimator.loss, "real"))
    return Settings(
        type(estimator).__name__,
        None if loss is None else loss.scaling,
        getattr(estimator, "class_weight", None),
    )


def compute_dtype(X: Any, asked: Any) -> np.dtype:
    """The dtype of the network: the one of X, unless X holds pixels."""
    if np.issubdtype(X.dtype, np.floating):
        return X.dtype
    return np.dtype("float32") if isinstance(asked, list) else np.dtype(asked)


def fit_dtype(estimator: NetworkHooks, device: torch.device) -> Any:
    """The dtype that a fresh network asks of X; a list where X may choose."""
    if estimator.dtype == "float64" and device.type == "mps":
        raise ValueError(
            f"dtype='float64' of {type(estimator).__name__} does not work on device"
            " 'mps', which has no such numbers. Take dtype='float32' or device='cpu'."
        )
    if estimator.dtype != "auto":
        return np.dtype(estimator.dtype)
    if estimator._auto_is_float32 or device.type != "cpu":
        return np.dtype("float32")
    # validate_data keeps X's dtype where it is in a list, else takes the first.
    return [np.float64, np.float32]


def hold_out(
    task: Task,
    features: Features,
    given: FitArguments,
    whole: Part,
    share: float | None,
    seed: int,
) -> tuple[Part, Part | None]:
    """The training part and, where there is one, the validation part.

    Parameters
    ----------
    task : Task
    features : Features
    given : FitArguments
        Its validation rows, if any, are taken in place of training rows.
    whole : Part
    share : float or None
        Share of the rows to hold out; None for none.
    seed : int
    """
    if (given.X_val is None) != (given.y_val is None):
        raise ValueError(
            f"{features.owner}.fit takes X_val and y_val together; got only"
            f" {'y_val' if given.X_val is None else 'X_val'}."
        )
    if given.X_val is not None:
        refuse_missing_targets(given.y_val, features.owner, "y_val")
        X, y = task.check_rows(
            features, given.X_val, given.y_val, whole.X.dtype, reset=False
        )
        weight = check_sample_weight(
            given.sample_weight_val, X.shape[0], "sample_weight_val"
        )
        part = Part.make(X, y, weight, whole.dtype, "y_val")
        return whole, part
    if given.sample_weight_val is not None:
        raise ValueError("sample_weight_val was given without X_val and y_val.")
    if share is None:
        return whole, None
    return whole.split(share, seed, task.strata(whole.y))
