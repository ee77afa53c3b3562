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


def plain_ticks(axis: Any) -> None:
    """Numbers as one writes them, at 1, 2 and 5 of each power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())
