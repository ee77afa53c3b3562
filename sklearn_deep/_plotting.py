"""Helpers for plots; matplotlib is optional and imported on first use."""

from typing import Any

from sklearn_deep.exceptions import MissingDependencyError


def pyplot(feature: str) -> Any:
    """Import pyplot, or raise an error that says how to install matplotlib."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError(feature, "matplotlib", "plot") from error
    return plt


def plain_ticks(axis: Any, *, decades: bool = False) -> None:
    """Label a logarithmic axis in decimals at 1, 2 and 5 times powers of ten.

    With ``decades`` at powers of ten only.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1,) if decades else (1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def whole_ticks(axis: Any) -> None:
    """Put ticks at integers only, for counts such as epochs."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def legend_beside(ax: Any, place: float = 1.0) -> None:
    """Add a legend to the right of the axes, from ``place`` widths on: it hides no curve.

    A figure without a layout engine gets the constrained one, which makes room for it.
    """
    ax.legend(loc="upper left", bbox_to_anchor=(place, 1.0), borderaxespad=0.6)
    if ax.figure.get_layout_engine() is None:
        ax.figure.set_layout_engine("constrained")


def plot_with_band(ax: Any, x: Any, mean: Any, around: Any, label: str) -> None:
    """Plot means as a marked line, in a band that reaches ``around`` up and down."""
    (line,) = ax.plot(x, mean, marker="o", ms=4, label=label)
    color = line.get_color()
    ax.fill_between(x, mean - around, mean + around, color=color, alpha=0.2, lw=0)


def two_panels(feature: str, **kwargs: Any) -> Any:
    """Axes of a new figure, the upper one larger."""
    _, axes = pyplot(feature).subplots(
        2, 1, layout="constrained", height_ratios=(3, 2), **kwargs
    )
    return axes
