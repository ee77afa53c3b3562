"""matplotlib, when a picture is asked for."""

from typing import Any

from sklearn_deep.exceptions import MissingDependencyError


def pyplot(feature: str) -> Any:
    """The pyplot module, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError(feature, "matplotlib", "plot") from error
    return plt
