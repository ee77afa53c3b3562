"""Tells joblib of the backend named "stacked"; imported when joblib is there."""

from typing import Any

from joblib import register_parallel_backend


def _make(over: str | None = None, **params: Any) -> Any:
    # these import torch: only on first use
    if over is None:
        from sklearn_deep.training.stacking._backend import StackedBackend

        return StackedBackend(**params)
    from sklearn_deep.training.stacking._over import StacksOver

    return StacksOver(over, **params)


register_parallel_backend("stacked", _make)
