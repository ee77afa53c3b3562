"""Checks of several tasks on their way in: what reads the outputs of one network."""

from collections.abc import Callable, Iterator
from typing import Any

from sklearn_deep.data._target_columns import WRITERS
from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.estimators.core._fitted import find_fitted
from sklearn_deep.estimators.tasks._regressor import DeepRegressor
from sklearn_deep.estimators.tasks._several import TaskPart
from sklearn_deep.files._values import SIZES
from sklearn_deep.nn._losses import Loss
from sklearn_deep.transfer.multi_task._declared import LearntTarget
from sklearn_deep.transfer.multi_task._multi_task import MultiTask

# Values of ours that a fitted model of several tasks holds beside its network.
OF_TASKS = (LearntTarget, TaskPart, ClassTargets, RealTargets, Loss)

_SETTINGS = {"loss", "loss_params", "label_smoothing", "class_weight"}


def problems_of_tasks(model: MultiTask) -> Iterator[str]:
    """What is wrong between the attributes of a fitted model, the first one first."""
    given = dict(vars(model))
    for name, check in _CHECKS.items():
        if name not in given:
            yield f"no {name!r}"
            return
        if not check(given[name], given):
            yield f"a wrong {name!r}"
            return


def _is_network(value: Any, given: dict[str, Any]) -> bool:
    fitted = find_fitted(value) if isinstance(value, DeepRegressor) else None
    return fitted is not None and type(fitted.targets) is RealTargets


def _are_parts(value: Any, given: dict[str, Any]) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(type(part) is TaskPart for part in value)
        and all(part.loss.kind == part.targets.kind for part in value)
    )


def _are_columns(value: Any, given: dict[str, Any]) -> bool:
    """One column per task, with the classes that it predicts."""
    parts = given["_parts"]
    return (
        isinstance(value, tuple)
        and all(type(column) is LearntTarget for column in value)
        and [column.name for column in value] == [part.name for part in parts]
        and all(map(_predicts, parts, value))
    )


def _predicts(part: TaskPart, column: LearntTarget) -> bool:
    if column.classes is None or not part.is_classifier:
        return column.classes is None and not part.is_classifier
    return part.targets.classes.tolist() == column.classes.tolist()


def _are_places(value: Any, given: dict[str, Any]) -> bool:
    """The outputs of each task, which are all of the network's, each once."""
    parts, fitted = given["_parts"], find_fitted(given["network_"])
    if not (isinstance(value, tuple) and all(type(p) is slice for p in value)):
        return False
    bounds = [b for p in value for b in (p.start, p.stop)]
    if len(value) != len(parts) or not all(type(b) is int for b in bounds):
        return False
    places = [i for p in value for i in range(p.start, min(p.stop, len(parts) << 20))]
    widths = [
        p.stop - p.start == part.n_raw for p, part in zip(value, parts, strict=True)
    ]
    n_outputs = 0 if fitted is None else fitted.targets.n_outputs
    return all(widths) and sorted(places) == list(range(n_outputs))


def _are_heads(value: Any, given: dict[str, Any]) -> bool:
    """Layers of heads are the last hidden ones, with as many units for each task."""
    fitted, n_tasks = find_fitted(given["network_"]), len(given["_parts"])
    if not (isinstance(value, tuple) and SIZES.allows(value)) or fitted is None:
        return False
    sizes = list(fitted.architecture.get("hidden_layer_sizes", ()))
    last = sizes[max(0, len(sizes) - len(value)) :]
    return not value or last == [n_tasks * size for size in value]


def _are_settings(value: Any, given: dict[str, Any]) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == len(given["_parts"])
        and all(isinstance(each, dict) and each.keys() == _SETTINGS for each in value)
    )


def _are_tasks(value: Any, given: dict[str, Any]) -> bool:
    kinds = {column.name: column.kind for column in given["_columns"]}
    return isinstance(value, dict) and value == kinds


# By attribute, in this order: later checks read what earlier ones have found right.
_CHECKS: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    "network_": _is_network,
    "_parts": _are_parts,
    "_columns": _are_columns,
    "_places": _are_places,
    "_fitted_heads": _are_heads,
    "_settings": _are_settings,
    "_container": lambda value, given: isinstance(value, str) and value in WRITERS,
    "tasks_": _are_tasks,
    "task_weights_": lambda value, given: isinstance(value, dict),
}
