"""What each column of y is: a classification or a regression, with its loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.data._target_columns import TargetColumn
from sklearn_deep.estimators.tasks._classifier import DeepClassifier
from sklearn_deep.estimators.tasks._several import TaskSpec
from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._losses import Loss
from sklearn_deep.transfer.multi_task._families import class_for

KINDS = ("classification", "regression")
_FIX = "declare it, tasks={{{name!r}: 'classification'}} or tasks={{{name!r}: 'regression'}}"


@dataclass(frozen=True)
class LearntTarget:
    """A column of y as predictions are given back.

    Attributes
    ----------
    name : str or int
    dtype : str
        Name of its dtype in its library.
    categories : tuple or None
    ordered : bool
    classes : ndarray of shape (n_classes,) or None
        Sorted labels of a classification.
    """

    name: Any
    dtype: str
    categories: tuple | None
    ordered: bool
    classes: np.ndarray | None

    @property
    def kind(self) -> str:
        """One of ``KINDS``."""
        return KINDS[1] if self.classes is None else KINDS[0]

    def numbers(self, column: TargetColumn, owner: str) -> np.ndarray:
        """Places of labels among the classes, or numbers; NaN for missing ones.

        Raises
        ------
        ValueError
            For a label that is not among the classes, and for infinite numbers.
        """
        found, values = np.full(len(column.values), np.nan), column.known_values
        if self.classes is None:
            found[column.known] = _finite(column, values, owner)
            return found
        known = np.isin(values, self.classes)
        if not known.all():
            strange = list(dict.fromkeys(values[~known].tolist()))[:5]
            raise ValueError(
                f"{owner}: the column {self.name!r} of y holds labels {strange} that are"
                f" not among its classes {self.classes.tolist()[:10]}."
            )
        found[column.known] = np.searchsorted(self.classes, values)
        return found


def learnt_columns(
    columns: Sequence[TargetColumn], tasks: Mapping[Any, Any], owner: str
) -> list[LearntTarget]:
    """Columns with their classes, where labels are predicted."""
    return [_learnt(column, tasks[column.name], owner) for column in columns]


def _learnt(column: TargetColumn, task: Any, owner: str) -> LearntTarget:
    is_labels = task == KINDS[0] or isinstance(task, DeepClassifier)
    classes = _classes(column, owner) if is_labels else None
    if classes is None:
        _finite(column, column.known_values, owner)
    return LearntTarget(
        column.name, column.dtype, column.categories, column.ordered, classes
    )


def _classes(column: TargetColumn, owner: str) -> np.ndarray:
    values = column.known_values
    if values.dtype.kind not in "biufU":
        raise ValueError(
            f"{owner}: the column {column.name!r} of y mixes types"
            f" {sorted({type(v).__name__ for v in values.tolist()})}. Labels must be"
            " strings, numbers or booleans."
        )
    classes = np.unique(values)
    if len(classes) < 2:
        raise ValueError(
            f"{owner} needs at least 2 classes in each classification; the column"
            f" {column.name!r} of y has 1 class: {classes.tolist()[0]!r}. Check the"
            " split that made y."
        )
    return classes


def _finite(column: TargetColumn, values: np.ndarray, owner: str) -> np.ndarray:
    if values.dtype.kind == "c":
        raise ValueError(
            f"{owner}: Complex data not supported, in the column {column.name!r} of y."
        )
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"{owner}: the column {column.name!r} of y has the dtype {column.dtype}, and a"
            " regression predicts numbers. Declare it as 'classification' in tasks, or"
            " convert it."
        )
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"{owner}: Input y contains infinity or a value too large, in the column"
            f" {column.name!r}. Leave out the row, or set the target to NaN."
        )
    return numbers


def resolved_tasks(
    columns: Sequence[TargetColumn], tasks: Any, owner: str
) -> dict[Any, Any]:
    """The task of each column: one of ``KINDS``, or a network that says more.

    Raises
    ------
    InvalidParameterError
        For names that y does not have.
    ValueError
        For a column that may be either.
    """
    names = [column.name for column in columns]
    _check_names(names, owner)
    if isinstance(tasks, str) and tasks != "auto":
        return dict.fromkeys(names, tasks)
    given = {} if isinstance(tasks, str) else tasks
    if not isinstance(given, Mapping):
        if len(given) != len(names):
            raise InvalidParameterError(
                f"The 'tasks' parameter of {owner} must have one task per column of y,"
                f" here {len(names)}. Got {len(given)} instead."
            )
        given = dict(zip(names, given, strict=True))
    if unknown := [name for name in given if name not in names]:
        raise InvalidParameterError(
            f"The 'tasks' parameter of {owner} must name columns of y, here {names}."
            f" Got {unknown} instead."
        )
    return {
        column.name: given[column.name]
        if column.name in given
        else _inferred(column, owner)
        for column in columns
    }


def _check_names(names: list, owner: str) -> None:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if not names or twice:
        what = f"columns {twice} twice" if twice else "no column"
        raise ValueError(
            f"y of {owner} must have at least one column, each with a name of its own;"
            f" got {what}."
        )


def _inferred(column: TargetColumn, owner: str) -> str:
    """The task of a column that was not declared."""
    values, fix = column.known_values, _FIX.format(name=column.name)
    kind = values.dtype.kind
    if not len(values):
        raise ValueError(
            f"{owner}: every target in the column {column.name!r} of y is missing. Leave"
            " the column out."
        )
    if column.categories is not None or kind in "bU":
        return KINDS[0]
    whole = kind in "iu" or (
        kind == "f" and not column.known.all() and (values % 1 == 0).all()
    )
    if whole:
        raise ValueError(
            f"{owner}: the column {column.name!r} of y holds whole numbers, which may be"
            f" labels or quantities: {fix}. Strings, categories and booleans are"
            " classifications, floats regressions."
        )
    if kind == "f":
        return KINDS[1]
    raise ValueError(
        f"{owner}: the column {column.name!r} of y has the dtype {column.dtype}, whose"
        f" task cannot be told. Convert it to strings, booleans or floats, or {fix}."
    )


def task_spec(column: LearntTarget, task: Any, network: Any, owner: str) -> TaskSpec:
    """A task with its loss and class weights: those of its own network, if it has one.

    Otherwise they are those of the shared network, if that predicts the same kind, else
    defaults.
    """
    classifies = column.classes is not None
    settings = task if not isinstance(task, str) else network
    cls: Any = class_for(settings, classifies)
    if not isinstance(settings, cls):
        settings = cls()
    loss = settings.loss
    floats = column.dtype.lower() in ("float32", "float64")
    spec = TaskSpec(
        column.name,
        column.classes,
        column.dtype.lower() if floats else "float64",
        loss,
        settings.loss_params,
        float(getattr(settings, "label_smoothing", 0.0)),
        getattr(settings, "class_weight", None),
    )
    if not classifies:
        _check_single_quantile(spec, owner)
    return spec


def _check_single_quantile(spec: TaskSpec, owner: str) -> None:
    loss = Loss.make(owner, spec.loss, "real", spec.loss_params)
    if loss.has_several_quantiles:
        raise InvalidParameterError(
            f"The 'tasks' parameter of {owner} must have one prediction per task; the"
            f" loss of {spec.name!r} has the quantiles {loss.params['quantile']}. Take a"
            " single one, or train a network of its own."
        )
