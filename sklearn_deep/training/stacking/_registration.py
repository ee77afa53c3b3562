"""Tells joblib of the backend named "stacked"; imported when joblib is there."""

from typing import Any

from joblib import register_parallel_backend


def _make(**params: Any) -> Any:
    # this imports torch: only on first use
    from sklearn_deep.training.stacking._backend import StackedBackend

    return StackedBackend(**params)


register_parallel_backend("stacked", _make)
