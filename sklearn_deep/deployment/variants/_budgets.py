"""Budgets as users write them, and as sentences."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from sklearn_deep.serving._variants import (
    LIMITS,
    Variant,
    described,
    excess,
    nearest,
    shown,
)

Budget = dict[str, float]


def named_budgets(budgets: Any) -> dict[str, Budget]:
    """Give each budget a name: the user's, or what it says.

    Raises
    ------
    ValueError
        For an unknown kind of limit, or one that is not a number.
    """
    if isinstance(budgets, Mapping):
        of_many = all(isinstance(value, Mapping) for value in budgets.values())
        items = list(budgets.items()) if of_many and budgets else [(None, budgets)]
    else:
        items = [(None, budget) for budget in _listed(budgets)]
    checked = [(name, _checked(budget)) for name, budget in items]
    return {str(name or described(budget)): budget for name, budget in checked}


def _listed(budgets: Any) -> list[Any]:
    if isinstance(budgets, Sequence) and not isinstance(budgets, str):
        return list(budgets)
    raise _wrong(budgets)


def _checked(budget: Any) -> Budget:
    if not isinstance(budget, Mapping) or not budget or set(budget) - set(LIMITS):
        raise _wrong(budget)
    return {kind: _number(kind, value) for kind, value in budget.items()}


def _number(kind: str, value: Any) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or (kind != "score" and value <= 0):
        what = "a finite number" if kind == "score" else "a positive number"
        raise ValueError(f"The budget of {kind} must be {what}; got {value!r}.")
    return float(value)


def _wrong(value: Any) -> ValueError:
    return ValueError(
        "Each budget must be a dictionary with one or more of the keys"
        f" {', '.join(LIMITS)}, such as {{'bytes': 50_000, 'score': 0.9}}; got {value!r}."
    )


def unmet_note(name: str, budget: Budget, measured: Sequence[Variant]) -> str:
    """Say that no variant meets a budget, which one is the nearest, and by what."""
    near = nearest(measured, budget)
    missed = ", ".join(
        f"{kind} {shown(getattr(near, kind))}"
        for kind in budget
        if excess(near, {kind: budget[kind]}) > 1
    )
    says = f"budget {name!r}"
    says += "" if name == described(budget) else f" ({described(budget)})"
    return f"{says}: no variant meets it; the nearest is {near.name!r} with {missed}."
