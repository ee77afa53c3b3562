"""Whether the fits of a ``joblib.Parallel`` call store their states."""

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn_deep.private._joblib import calls_of


def stores_states(batch: Any) -> bool:
    """Tell whether an estimator in a batch of calls has a ``checkpoint``.

    A batch that is not understood may have one.
    """
    items = calls_of(batch)
    if not isinstance(items, list):
        return True
    return any(
        value is not None and name.rpartition("__")[2] == "checkpoint"
        for item in items
        for name, value in _parameters(item)
    )


def _parameters(item: Any) -> Iterator[tuple[str, Any]]:
    """Parameters of the estimators among the arguments of a call, and those to be set."""
    _, args, kwargs = item
    for value in (*args, *kwargs.values()):
        if isinstance(value, Mapping):
            yield from ((str(name), each) for name, each in value.items())
        elif hasattr(value, "get_params") and not isinstance(value, type):
            yield from value.get_params().items()
