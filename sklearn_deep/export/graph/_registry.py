"""The table of rules: how each estimator's methods are written in ONNX.

A rule mirrors one method of one class: it takes the fitted estimator and the values
of ``X``, and gives the values that the method would return, of the same shapes.
``apply`` finds it by the class, subclasses included.
"""

from collections.abc import Callable
from typing import Any

from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import Graph
from sklearn_deep.export.graph._limits import refuse_by_limits
from sklearn_deep.export.graph._table import Table

Rule = Callable[..., Any]

RULES: dict[tuple[type, str], Rule] = {}


def rule(method: str, *classes: type) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of a method of some classes."""

    def enter(function: Rule) -> Rule:
        for cls in classes:
            RULES[cls, method] = function
        return function

    return enter


def find(model: Any, method: str) -> Rule | None:
    """Look up the rule of a fitted estimator's method."""
    for cls in type(model).__mro__:
        if (cls, method) in RULES:
            return RULES[cls, method]
    return None


def has_rules(model: Any) -> bool:
    """Tell whether any method of an estimator has a rule."""
    return any(cls is row[0] for cls in type(model).__mro__ for row in RULES)


def apply(graph: Graph, model: Any, method: str, table: Table) -> Any:
    """Write a method of a fitted estimator, once, however often it is asked for.

    Returns
    -------
    Table for ``"transform"``, else Value, or list of Values where the method gives
    a list of arrays

    Raises
    ------
    OnnxExportError
        Where there is no ONNX form; the message names the estimator.
    """
    key = (id(model), method, table)
    if key not in graph.memo:
        found = find(model, method) or FALLBACKS.get(method)
        if found is None:
            raise OnnxExportError(
                f"{type(model).__name__} has no ONNX form of its {method}."
            )
        refuse_by_limits(graph, model, method, table)
        # The model is kept with the result, so that no other takes its id.
        graph.memo[key] = model, found(graph, model, table)
    return graph.memo[key][1]


# Rules for estimators that have none of their own; skl2onnx fills them.
FALLBACKS: dict[str, Rule] = {}
