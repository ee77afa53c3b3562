"""The table of rules that write the methods of estimators as ONNX nodes.

A rule implements one method of one class: it takes the fitted estimator and the values
of ``X``, and returns the values that the method would return, with the same shapes.
``apply`` looks it up by class, including base classes.
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
    """Register a function as the rule of a method of some classes."""

    def enter(function: Rule) -> Rule:
        for cls in classes:
            RULES[cls, method] = function
        return function

    return enter


def find(model: Any, method: str) -> Rule | None:
    """Look up the rule of a method of a fitted estimator; None if there is none."""
    for cls in type(model).__mro__:
        if (cls, method) in RULES:
            return RULES[cls, method]
    return None


def has_rules(model: Any) -> bool:
    """Tell whether any method of an estimator has a rule."""
    return any(cls is row[0] for cls in type(model).__mro__ for row in RULES)


def apply(graph: Graph, model: Any, method: str, table: Table) -> Any:
    """Write a method of a fitted estimator; repeated calls return the same values.

    Returns
    -------
    Table for ``"transform"``, else Value, or a list of Values if the method returns
    a list of arrays

    Raises
    ------
    OnnxExportError
        If there is no ONNX form; the message names the estimator.
    """
    key = (id(model), method, table)
    if key not in graph.memo:
        found = find(model, method) or FALLBACKS.get(method)
        if found is None:
            raise OnnxExportError(
                f"{type(model).__name__} has no ONNX form of its {method}."
            )
        refuse_by_limits(graph, model, method, table)
        # Storing the model keeps it alive, so that its id is not reused.
        graph.memo[key] = model, found(graph, model, table)
    return graph.memo[key][1]


# Rules by method for estimators without a rule; ``skl2onnx/_fallback.py`` adds them.
FALLBACKS: dict[str, Rule] = {}
