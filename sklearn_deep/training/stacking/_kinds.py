"""Which tasks of a call may have networks of one shape, told before anything runs.

A task is a function with its arguments, among them an estimator and, in a search, the
parameters to be set. Tasks that are told apart wrongly train alone instead of in a stack
and give the same results.
"""

from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any

# Parameters in which networks of one stack may differ.
_DIFFER = frozenset(
    {
        "activation_params",
        "betas",
        "bias_init",
        "checkpoint",
        "class_weight",
        "dropout",
        "early_stopping",
        "gradient_clip",
        "l1",
        "l2",
        "label_smoothing",
        "learning_rate",
        "learning_rate_schedule",
        "max_epochs",
        "momentum",
        "monitor",
        "n_iter_no_change",
        "random_state",
        "restore_best",
        "schedule_params",
        "tol",
        "validation",
        "validation_fraction",
        "verbose",
        "warmup",
        "weight_decay",
        "weight_init",
        "weight_init_params",
    }
)

Call = tuple[Any, tuple, dict[str, Any]]


def kind_of(call: Call) -> Hashable:
    """What tasks have in common whose networks may be stacked."""
    function, args, kwargs = call
    estimator = next((each for each in args if _is_estimator(each)), None)
    name = getattr(function, "__qualname__", type(function).__name__)
    params: dict[str, Any] = {}
    with suppress(Exception):  # a user's estimator may lack any of its attributes
        params = {} if estimator is None else estimator.get_params()
    given = kwargs.get("parameters")
    params |= given if isinstance(given, Mapping) else {}
    shape = {
        str(key): _token(value)
        for key, value in params.items()
        if str(key).rpartition("__")[2] not in _DIFFER
    }
    return name, type(estimator).__qualname__, tuple(sorted(shape.items()))


def fold_of(call: Call) -> Hashable:
    """The rows that a task trains on: folds of a search are the same object."""
    train = call[2].get("train")
    return None if train is None else id(train)


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _token(value: Any) -> str:
    """A text that tells values apart; objects count as equal to those of their type."""
    if isinstance(value, (str, bytes, int, float, type(None))):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"({','.join(map(_token, value))})"
    return type(value).__qualname__
