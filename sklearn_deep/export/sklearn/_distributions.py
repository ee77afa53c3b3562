"""Rules of power and quantile transformers, and of polynomial features."""

from typing import Any

import numpy as np
from sklearn.preprocessing import (
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
)

from sklearn_deep.export.graph._graph import BOOL, DOUBLE, FLOAT, Graph, Value, real
from sklearn_deep.export.graph._refusals import propagates_nan
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.export.sklearn._scalers import interpolate
from sklearn_deep.private._sklearn import box_cox_scaler


@rule("transform", PolynomialFeatures)
def _polynomial(graph: Graph, model: PolynomialFeatures, table: Table) -> Table:
    # Each term is a product of `degree` columns, with a column of ones as padding.
    powers = model.powers_  # (n_terms, n_features)
    terms = [np.repeat(np.arange(len(row)), row) for row in powers]
    degree = max((len(term) for term in terms), default=0)
    factors = np.full((max(degree, 1), len(terms)), table.width)
    for k, term in enumerate(terms):
        factors[: len(term), k] = term
    x = table.matrix(graph, real(table.dtype))
    first = graph.node("Gather", x, graph.constant(np.array([0])), axis=1)
    ones = graph.math("Pow", first, 0.0)
    x = graph.concat([x, ones])
    out = None
    for columns in factors:
        part = graph.node("Gather", x, graph.constant(columns), axis=1)
        out = part if out is None else graph.node("Mul", out, part)
    assert out is not None
    return Table.of(out, len(terms))


@rule("transform", PowerTransformer)
def _power(graph: Graph, model: PowerTransformer, table: Table) -> Table:
    bend = _yeo_johnson if model.method == "yeo-johnson" else _box_cox
    columns = [
        bend(graph, graph.cast(column, DOUBLE), float(exponent))
        for column, exponent in zip(table.columns(graph), model.lambdas_, strict=True)
    ]
    out = graph.cast(graph.concat(columns), real(table.dtype))
    propagates_nan(graph, table.matrix(graph), out, nan_only=True)
    bent = Table.of(out, table.width)
    if not model.standardize:
        return bent
    return apply(graph, box_cox_scaler(model), "transform", bent)


def _box_cox(graph: Graph, x: Value, exponent: float) -> Value:
    if exponent == 0:
        return graph.node("Log", x)
    power = graph.math("Sub", graph.math("Pow", x, exponent), 1.0)
    return graph.math("Div", power, exponent)


def _yeo_johnson(graph: Graph, x: Value, exponent: float) -> Value:
    """Yeo and Johnson, Biometrika 87, 2000: Box-Cox of 1 + |x|, by the sign of x."""
    above = graph.math("Add", graph.math("Max", x, 0.0), 1.0)
    below = graph.math("Add", graph.node("Neg", graph.math("Min", x, 0.0)), 1.0)
    right = _box_cox(graph, above, exponent)
    left = graph.node("Neg", _box_cox(graph, below, 2 - exponent))
    positive = graph.compare("GreaterOrEqual", x, 0.0)
    bent = graph.node("Where", positive, right, left, dtype=x.dtype)
    return graph.node("Where", _is_nan(graph, x), x, bent, dtype=x.dtype)


@rule("inverse_transform", PowerTransformer)
def _unpower(graph: Graph, model: PowerTransformer, table: Table) -> Table:
    if model.standardize:
        table = apply(graph, box_cox_scaler(model), "inverse_transform", table)
    unbend = _yeo_johnson_back if model.method == "yeo-johnson" else _box_cox_back
    columns = [
        unbend(graph, graph.cast(column, DOUBLE), float(exponent))
        for column, exponent in zip(table.columns(graph), model.lambdas_, strict=True)
    ]
    out = graph.cast(graph.concat(columns), real(table.dtype))
    return Table.of(out, table.width)


def _box_cox_back(graph: Graph, y: Value, exponent: float) -> Value:
    if exponent == 0:
        return graph.node("Exp", y)
    base = graph.math("Add", graph.math("Mul", y, exponent), 1.0)
    return graph.math("Pow", base, 1 / exponent)


def _yeo_johnson_back(graph: Graph, y: Value, exponent: float) -> Value:
    above = _box_cox_back(graph, graph.math("Max", y, 0.0), exponent)
    below = graph.node("Neg", graph.math("Min", y, 0.0))
    below = _box_cox_back(graph, below, 2 - exponent)
    right = graph.math("Sub", above, 1.0)
    left = graph.math("Add", graph.node("Neg", below), 1.0)
    positive = graph.compare("GreaterOrEqual", y, 0.0)
    return graph.node("Where", positive, right, left, dtype=y.dtype)


def _is_nan(graph: Graph, x: Value) -> Value:
    return graph.node("IsNaN", x, dtype=BOOL)


# Distance that scikit-learn keeps from probabilities 0 and 1, and from the outer quantiles.
_BOUND = 1e-7


@rule("transform", QuantileTransformer)
def _quantile(graph: Graph, model: QuantileTransformer, table: Table) -> Table:
    normal = model.output_distribution == "normal"
    kind = real(table.dtype)
    columns = []
    for j, column in enumerate(table.columns(graph)):
        x = graph.reshape(graph.cast(column, kind), (-1,))
        quantiles = model.quantiles_[:, j]
        share = _share_below(graph, graph.cast(x, DOUBLE), quantiles, model.references_)
        share = graph.cast(share, kind)  # scikit-learn stores it in the column's dtype
        share = _bounded(graph, x, share, quantiles, _BOUND if normal else 0.0)
        columns.append(graph.reshape(share, (-1, 1)))
    shares = graph.cast(graph.concat(columns), DOUBLE)
    if normal:
        shares = _normal_quantile(graph, shares)
    x = table.matrix(graph, DOUBLE)
    out = graph.node("Where", _is_nan(graph, x), x, shares, dtype=DOUBLE)
    out = graph.cast(out, real(table.dtype))
    propagates_nan(graph, table.matrix(graph), out, nan_only=True)
    propagates_nan(graph, out, table.matrix(graph))  # shares are finite
    return Table.of(out, table.width)


@rule("inverse_transform", QuantileTransformer)
def _unquantile(graph: Graph, model: QuantileTransformer, table: Table) -> Table:
    normal = model.output_distribution == "normal"
    columns = []
    for j, column in enumerate(table.columns(graph)):
        x = graph.reshape(graph.cast(column, DOUBLE), (-1,))
        share = _normal_share(graph, x) if normal else x
        y = interpolate(graph, share, model.references_, model.quantiles_[:, j])
        columns.append(graph.reshape(y, (-1, 1)))
    out = graph.cast(graph.concat(columns), real(table.dtype))
    return Table.of(out, table.width)


def _normal_share(graph: Graph, x: Value) -> Value:
    """Normal distribution function, to float32 precision."""
    inner = graph.cast(graph.math("Mul", x, np.sqrt(0.5)), FLOAT)
    erf = graph.cast(graph.node("Erf", inner), DOUBLE)
    return graph.math("Mul", graph.math("Add", erf, 1.0), 0.5)


def _share_below(
    graph: Graph, x: Value, quantiles: np.ndarray, references: np.ndarray
) -> Value:
    """Mean of ascending and descending interpolation, which differ for repeated values."""
    up = _interpolate_equal(graph, x, quantiles, references)
    down = _interpolate_equal(
        graph, graph.node("Neg", x), -quantiles[::-1], -references[::-1]
    )
    return graph.math("Mul", graph.node("Sub", up, down), 0.5)


def _interpolate_equal(graph: Graph, x: Value, xs: np.ndarray, ys: np.ndarray) -> Value:
    """Interpolate as ``numpy.interp`` does if several points are equal."""
    rises = np.diff(xs) > 0
    firsts, lasts = np.append(True, rises), np.append(rises, True)
    return interpolate(graph, x, xs[lasts], ys[lasts], left_ys=ys[firsts])


def _bounded(
    graph: Graph, x: Value, share: Value, quantiles: np.ndarray, slack: float
) -> Value:
    """Set 1 beyond the last quantile, then 0 below the first."""
    for shift, op, bound, value in (
        (slack, "Greater" if slack else "Equal", quantiles[-1], 1.0),
        (-slack, "Less" if slack else "Equal", quantiles[0], 0.0),
    ):
        # The shift is rounded to the dtype of X, the quantile is not.
        shifted = graph.cast(graph.math("Add", x, shift), DOUBLE)
        beyond = graph.compare(op, shifted, bound)
        end = graph.constant(np.array([value]), share.dtype)
        share = graph.node("Where", beyond, end, share, dtype=share.dtype)
    return share


# Wichura, "Algorithm AS 241", Applied Statistics 37, 1988: numerators and denominators
# for |p - 1/2| <= 0.425, and for the tails down to 1e-11; relative error 1e-16.
_CENTRE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)


def _normal_quantile(graph: Graph, p: Value) -> Value:
    """Normal quantile function, with scikit-learn's bounds."""
    low = _BOUND - np.spacing(1)
    p = graph.math("Min", graph.math("Max", p, low), 1 - low)
    q = graph.math("Sub", p, 0.5)
    square = graph.node("Neg", graph.node("Mul", q, q))
    centre = graph.node(
        "Mul", q, _ratio(graph, graph.math("Add", square, 0.180625), _CENTRE)
    )
    rest = graph.node("Min", p, graph.math("Add", graph.node("Neg", p), 1.0))
    depth = graph.node("Sqrt", graph.node("Neg", graph.node("Log", rest)))
    tail = _ratio(graph, graph.math("Sub", depth, 1.6), _TAIL)
    tail = graph.node("Mul", graph.node("Sign", q), tail)
    inner = graph.compare("LessOrEqual", graph.node("Abs", q), 0.425)
    return graph.node("Where", inner, centre, tail, dtype=p.dtype)


def _ratio(graph: Graph, x: Value, coefficients: Any) -> Value:
    """Quotient of two polynomials, with the highest power first."""
    parts = []
    for first, *others in coefficients:
        part = graph.math("Add", graph.math("Mul", x, first), others[0])
        for coefficient in others[1:]:
            part = graph.math("Add", graph.node("Mul", part, x), coefficient)
        parts.append(part)
    return graph.node("Div", *parts)
