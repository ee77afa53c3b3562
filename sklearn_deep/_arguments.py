"""Errors for unknown arguments that suggest the right name.

Python's own error names the base class that defines a method, and suggests nothing.
"""

import difflib
import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, NamedTuple, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


class _Advice(NamedTuple):
    """Advice for classes that have the parameter ``ours``."""

    ours: str
    text: str


def _use(ours: str, more: str = "") -> _Advice:
    return _Advice(ours, f"use {ours}{more}")


# Constructor parameters under the names of scikit-learn's MLP, Keras and skorch, and
# under former names of ours.
PARAMETERS = {
    "alpha": _use("weight_decay", ", or l2=alpha / batch_size for the same penalty"),
    "beta_1": _use("betas", "=(beta_1, beta_2)"),
    "beta_2": _use("betas", "=(beta_1, beta_2)"),
    "criterion": _use("loss"),
    "epochs": _use("max_epochs"),
    "epsilon": _Advice("optimizer", "optimizers have the epsilon of torch's"),
    "hidden_layers": _use("hidden_layer_sizes"),
    "hidden_units": _use("hidden_layer_sizes"),
    "learning_rate_init": _use("learning_rate"),
    "lr": _use("learning_rate"),
    "max_fun": _use("max_epochs", ", the number of iterations of optimizer='lbfgs'"),
    "max_iter": _use("max_epochs"),
    "max_loss": _use("max_score_drop"),
    "n_epochs": _use("max_epochs"),
    "nesterovs_momentum": _use("optimizer", "='nesterov'"),
    "on_loss": _use("on_score_drop"),
    "patience": _use("n_iter_no_change"),
    "power_t": _use("learning_rate_schedule"),
    "scoring": _use("monitor"),
    "seed": _use("random_state"),
    "shuffle": _Advice("max_epochs", "rows are shuffled in every epoch"),
    "solver": _use("optimizer"),
    "validation_split": _use("validation_fraction", " with early_stopping=True"),
}

# Arguments of fit under the names of those libraries.
ARGUMENTS = {
    "classes": _Advice("y", "partial_fit takes them"),
    "epochs": _Advice("y", "set max_epochs when you construct the estimator"),
    "eval_set": _use("X_val", " and y_val"),
    "sample_weights": _use("sample_weight"),
    "validation_data": _use("X_val", " and y_val"),
    "validation_split": _Advice(
        "X_val", "set validation_fraction when you construct the estimator"
    ),
}


def names_unknown_arguments(method: Method) -> Method:
    """Decorate a method: unknown keywords raise a ``TypeError`` with a suggestion."""
    known = tuple(inspect.signature(method).parameters)[1:]
    name = method.__name__

    @wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        for given in kwargs:
            if given not in known:
                raise TypeError(
                    f"{type(self).__name__}.{name}() got an unexpected keyword argument"
                    f" {given!r}{advice(given, known, type(self), name)}."
                )
        return method(self, *args, **kwargs)

    return checked  # type: ignore[return-value]


def advice(
    unknown: str, known: Collection[str], cls: type, method: str = "__init__"
) -> str:
    """Suggestion for an unknown name, after a colon; empty if there is none."""
    in_constructor = method == "__init__"
    entry = (PARAMETERS if in_constructor else ARGUMENTS).get(unknown)
    if entry is not None and entry.ours in known:
        return f": {entry.text}"
    if not in_constructor and unknown in inspect.signature(cls).parameters:
        return ": set it when you construct the estimator"
    alike = difflib.get_close_matches(unknown, known, 1)
    return f": did you mean {alike[0]}" if alike else ""
