"""``summary`` and what it gives."""

import html
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.pipeline import Pipeline

from sklearn_deep._params import NONE, Number, Rules, SequenceOf, check_value
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.estimators.core._fitted import Fitted, fitted_of
from sklearn_deep.estimators.core._layers import as_frame, n_values
from sklearn_deep.inspection._fit_curve import find_network
from sklearn_deep.inspection.summary._before_fit import initial_state
from sklearn_deep.inspection.summary._layer_costs import LayerCost, layer_costs
from sklearn_deep.inspection.summary._row import row_of_zeros

_COUNT = Number(Integral, 1)
_RULES: Rules = {
    "n_features": (NONE, _COUNT),
    "n_outputs": (_COUNT,),
    "row_shape": (NONE, SequenceOf(_COUNT, 1, 3)),
    "n_steps": (_COUNT,),
}


@dataclass(frozen=True)
class NetworkSummary:
    """The layers of a network as a table; ``print`` shows it, and notebooks as HTML.

    Parameters
    ----------
    estimator_name : str
        Class of the estimator.
    layers : list of LayerCost
        One entry per layer, in the order in which a row passes through them: name, kind,
        settings, shape of the output for one row, numbers of parameters, trainable
        parameters, multiply-adds and bytes, and of layers where an ensemble has several.
    n_parameters : int
        Number of parameters; for a quantized network, of stored integers and scales.
    n_trainable : int
        Number of parameters that training changes.
    multiply_adds : int
        Multiply-adds of the weights for one row, forward.
    n_bytes : int
        Size of parameters and buffers in memory.

    See Also
    --------
    summary : Makes one.

    Examples
    --------
    >>> from sklearn_deep import MLPRegressor, summary
    >>> shown = summary(MLPRegressor((64, 32)), n_features=10)
    >>> shown.n_parameters, shown.multiply_adds, shown.n_bytes
    (2817, 2720, 11268)
    """

    estimator_name: str
    layers: list[LayerCost]
    n_parameters: int
    n_trainable: int
    multiply_adds: int
    n_bytes: int

    def to_frame(self):
        """Convert the table to a DataFrame, or to a list of dicts without pandas.

        Returns
        -------
        frame : DataFrame
            One row per layer.
        """
        return as_frame([vars(layer) for layer in self.layers])

    def __str__(self) -> str:
        rows = [_HEAD, *map(_cells, self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if k < _TEXTS else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, self._total()])

    def _total(self) -> str:
        frozen = self.n_parameters - self.n_trainable
        return (
            f"{self.estimator_name}: {self.n_parameters:,} parameters"
            + (f" ({frozen:,} frozen)" if frozen else "")
            + f", {self.multiply_adds:,} multiply-adds a row, {self.n_bytes:,} bytes"
        )

    def _repr_html_(self) -> str:
        """Show the table in notebooks."""
        head = _html_row("th", _HEAD)
        body = "".join(_html_row("td", _cells(layer)) for layer in self.layers)
        return (
            f"<table><caption>{html.escape(self._total())}</caption>"
            f"<thead>{head}</thead><tbody>{body}</tbody></table>"
        )


_HEAD = ("layer", "kind", "output", "parameters", "multiply-adds", "bytes")
_TEXTS = 3  # columns of text; the others are numbers


def _cells(layer: LayerCost) -> tuple[str, ...]:
    times = f" x{layer.count}" if layer.count > 1 else ""
    shape = " x ".join(map(str, layer.output_shape)) or "1"
    counts = (layer.parameters, layer.multiply_adds, layer.bytes)
    return (layer.layer + times, layer.kind, shape, *(f"{n:,}" for n in counts))


def _html_row(tag: str, cells: tuple[str, ...]) -> str:
    inner = "".join(
        f'<{tag} style="text-align:{"left" if k < _TEXTS else "right"}">'
        f"{html.escape(cell)}</{tag}>"
        for k, cell in enumerate(cells)
    )
    return f"<tr>{inner}</tr>"


def summary(
    estimator,
    X=None,
    y=None,
    *,
    n_features=None,
    n_outputs=1,
    row_shape=None,
    n_steps=1,
):
    """List the layers of a network: shapes, parameters, multiply-adds and bytes.

    Before a fit it shows the network that a fit would train on ``X`` and ``y``, or on
    rows of ``n_features`` columns or of ``row_shape``; nothing is trained. After a fit it
    needs nothing more.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A network, fitted or not, a compression of one, or a Pipeline or search around
        either. A Pipeline that is not fitted fits its transformers to ``X``, in copies.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features), \
            default=None
        Rows of the fit; of a fitted network, rows as it takes them, of which the first is
        shown.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets of the fit.
    n_features : int, default=None
        Columns of the network's input, in place of ``X``.
    n_outputs : int, default=1
        Classes or targets, in place of ``y``; a classifier has at least 2.
    row_shape : sequence of int, default=None
        Shape of a row, such as (28, 28) for images, in place of ``n_features``.
    n_steps : int, default=1
        Steps of a sequence; multiply-adds of a recurrent network are for all of them.

    Returns
    -------
    summary : NetworkSummary
        The table.

    Raises
    ------
    TypeError
        If there is no network in ``estimator``.
    ValueError
        If the estimator is not fitted, and there are neither rows nor their shape.

    See Also
    --------
    capacity_curve : The error against the number of parameters.

    Examples
    --------
    >>> from sklearn_deep import MLPClassifier, summary
    >>> print(summary(MLPClassifier((8,)), n_features=4, n_outputs=3))
    layer              kind     output  parameters  multiply-adds  bytes
    --------------------------------------------------------------------
    hidden.0.layers.0  Linear   8               40             32    160
    hidden.0.layers.1  ReLU     8                0              0      0
    hidden.0.layers.2  Dropout  8                0              0      0
    output             Output   3               27             24    108
    --------------------------------------------------------------------
    MLPClassifier: 67 parameters, 56 multiply-adds a row, 268 bytes
    """
    values = {
        "n_features": n_features,
        "n_outputs": n_outputs,
        "row_shape": row_shape,
        "n_steps": n_steps,
    }
    for name, value in values.items():
        check_value("summary", name, value, _RULES[name])
    if n_features is not None and row_shape is not None:
        raise ValueError("summary takes n_features or row_shape, not both.")
    shape = row_shape if n_features is None else (n_features,)
    network = _fitted_network(estimator)
    if network is None:
        fitted, row = initial_state(estimator, X, y, shape, n_outputs)
    else:
        fitted = fitted_of(network)
        row = _row(estimator, fitted, X, n_steps)
    return _summarised(type(estimator).__name__, fitted, row)


def _fitted_network(estimator: Any) -> DeepEstimator | None:
    try:
        return find_network(estimator, "summary")
    except TypeError:
        return None


def _row(estimator: Any, fitted: Fitted, X: Any, n_steps: int) -> Any:
    """The first row that comes to a fitted network, else one of zeros."""
    if X is None:
        return row_of_zeros(fitted, n_steps)
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        X = estimator[:-1].transform(X)
    return fitted.encode(X)[:1]


def _summarised(name: str, fitted: Fitted, row: Any) -> NetworkSummary:
    layers = layer_costs(fitted.module, row, frozenset(fitted.frozen))
    return NetworkSummary(
        name,
        layers,
        n_parameters=n_values(fitted.module),
        n_trainable=sum(layer.trainable for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        n_bytes=sum(layer.bytes for layer in layers),
    )
