"""HTML representation for notebooks: scikit-learn's, with a table of the layers."""

import html

from sklearn.utils import estimator_html_repr

from sklearn_deep.estimators.core._hooks import NetworkHooks

_STYLE = "border-collapse:collapse;font-size:0.9em"
_CELL = "padding:2px 10px;text-align:left;border-bottom:1px solid #8884"


def with_network_section(estimator: NetworkHooks) -> str:
    """scikit-learn's HTML, with a section about the network of a fitted estimator."""
    page = estimator_html_repr(estimator)
    if not hasattr(estimator, "module_"):
        return page
    return f"{page}\n{_network(estimator)}"


def _network(estimator: NetworkHooks) -> str:
    module = estimator.module_
    rows = [
        (name, type(layer).__name__, layer.extra_repr(), _count(layer))
        for name, layer in module.named_modules()
        if name and not list(layer.children())
    ]
    summary = (
        f"{_count(module):,} parameters, {estimator.n_iter_} epochs (weights of epoch"
        f" {estimator.best_epoch_}), stopped by {estimator.stop_reason_}, learning rate"
        f" {estimator.learning_rate_:.3g}"
    )
    head = _row("th", ("layer", "kind", "settings", "parameters"))
    body = "".join(_row("td", row) for row in rows)
    return (
        f"<details><summary>Network: {html.escape(summary)}</summary>"
        f'<table style="{_STYLE}"><thead>{head}</thead><tbody>{body}</tbody></table>'
        "</details>"
    )


def _row(tag: str, cells: tuple) -> str:
    inner = "".join(
        f'<{tag} style="{_CELL}">{html.escape(str(cell))}</{tag}>' for cell in cells
    )
    return f"<tr>{inner}</tr>"


def _count(module) -> int:
    return sum(p.numel() for p in module.parameters())
