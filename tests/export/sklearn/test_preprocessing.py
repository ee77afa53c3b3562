"""Export of transformers: the file agrees with them.

Most are compared alone, on rows like those of the fit, beyond them, and at their edges.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import (
    RFE,
    GenericUnivariateSelect,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
    f_classif,
)
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

from sklearn_deep import MLPClassifier, MLPRegressor, to_onnx
from sklearn_deep.exceptions import OnnxExportError
from sklearn_deep.export.graph._graph import DOUBLE, Graph, Value
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.sklearn._scalers import FUNCTIONS, bin_index, interpolate

pytestmark = pytest.mark.oldest

EXACT = {np.dtype(np.float64): 1e-11, np.dtype(np.float32): 2e-6}


def rows(seed=0, n=60, spread=1.0):
    """Columns of several kinds: small, large, skewed, with few values, constant."""
    rng = np.random.default_rng(seed)
    return spread * np.stack(
        [
            rng.normal(size=n),
            rng.normal(1e4, 30, size=n),
            rng.lognormal(size=n),
            rng.integers(0, 4, n),
            np.full(n, 3.0),
        ],
        1,
    )


def classes(X):
    return np.arange(len(X)) % 2


def dense(out):
    return out.toarray() if hasattr(out, "toarray") else np.asarray(out)


def assert_transforms(step, X, transform, method="transform", dtype=True):
    """Compare a fitted transformer with its ONNX form, column by column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unseen categories
        expected = dense(getattr(step, method)(X))
    got = transform(step, X, method)
    if got.dtype == object:
        np.testing.assert_array_equal(got, expected.astype(str))
        return
    assert got.shape == expected.shape
    if dtype and expected.dtype.kind == "f":
        assert got.dtype == expected.dtype
    exact = 1e-11 if expected.dtype.kind in "iubO" else EXACT[expected.dtype]
    expected, got = expected.astype(float), got.astype(float)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(expected))
    scale = np.nanmax(np.abs(np.where(np.isfinite(expected), expected, 0)), axis=0)
    finite = np.isfinite(expected)
    gap = np.where(finite, np.abs(np.where(finite, got - expected, 0)), 0)
    assert (gap <= exact * np.where(scale > 0, scale, 1)).all(), gap.max(0)


NUMERIC = {
    "standard": StandardScaler(),
    "standard, mean": StandardScaler(with_std=False),
    "standard, std": StandardScaler(with_mean=False),
    "standard, neither": StandardScaler(with_mean=False, with_std=False),
    "min max": MinMaxScaler(),
    "min max, range": MinMaxScaler((-2, 5)),
    "min max, clip": MinMaxScaler((-2, 5), clip=True),
    "max abs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "robust, centre": RobustScaler(with_scaling=False),
    "robust, scale": RobustScaler(with_centering=False),
    "robust, range": RobustScaler(quantile_range=(5, 80), unit_variance=True),
    "robust, neither": RobustScaler(with_centering=False, with_scaling=False),
    "imputer": SimpleImputer(),
    "imputer, median": SimpleImputer(strategy="median"),
    "imputer, frequent": SimpleImputer(strategy="most_frequent"),
    "imputer, constant": SimpleImputer(strategy="constant", fill_value=-7.5),
    "imputer, zero": SimpleImputer(missing_values=0),
    "imputer, indicator": SimpleImputer(add_indicator=True),
    "yeo-johnson": PowerTransformer(),
    "yeo-johnson, raw": PowerTransformer(standardize=False),
    "quantile": QuantileTransformer(n_quantiles=20),
    "quantile, all": QuantileTransformer(n_quantiles=60),
    "quantile, two": QuantileTransformer(n_quantiles=2),
    "quantile, one": QuantileTransformer(n_quantiles=1),
    "quantile, normal": QuantileTransformer(
        n_quantiles=20, output_distribution="normal"
    ),
    "quantile, normal, all": QuantileTransformer(
        n_quantiles=60, output_distribution="normal"
    ),
    "variance": VarianceThreshold(),
    "variance, some": VarianceThreshold(0.5),
    "k best": SelectKBest(k=2),
    "k best, all": SelectKBest(k="all"),
    "percentile": SelectPercentile(percentile=40),
    "univariate": GenericUnivariateSelect(f_classif, mode="k_best", param=3),
}
# These refuse missing values.
WHOLE = {
    "box-cox": PowerTransformer("box-cox"),
    "box-cox, raw": PowerTransformer("box-cox", standardize=False),
    "polynomial": PolynomialFeatures(),
    "polynomial, cubic": PolynomialFeatures(3),
    "polynomial, linear": PolynomialFeatures(1),
    "polynomial, from 2 to 3": PolynomialFeatures((2, 3)),
    "polynomial, interactions": PolynomialFeatures(3, interaction_only=True),
    "polynomial, no bias": PolynomialFeatures(2, include_bias=False),
    "polynomial, only bias": PolynomialFeatures(0),
    "polynomial, columns": PolynomialFeatures(2, order="F"),
    "normalizer": Normalizer(),
    "normalizer, l1": Normalizer("l1"),
    "binarizer": Binarizer(threshold=0.5),
    "from model": SelectFromModel(LogisticRegression(), max_features=2),
    "rfe": RFE(LogisticRegression(), n_features_to_select=2),
    "union": FeatureUnion(
        [("a", StandardScaler()), ("b", MinMaxScaler())], transformer_weights={"b": 3.0}
    ),
}
ANY = {**NUMERIC, **WHOLE}


def fitted(step, X, y=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about constant columns
        return clone(step).fit(X, classes(X) if y is None else y)


def made_for(name, X):
    """Rows that the transformer accepts: positive ones for Box-Cox."""
    return np.abs(X[:, :4]) + 1.0 if "box-cox" in name else X


@pytest.mark.parametrize(
    "name",
    list(ANY),
)
def test_transforms_agree_within_and_beyond_the_range_of_the_fit(name, transform):
    X = made_for(name, rows())
    step = fitted(ANY[name], X)
    assert_transforms(step, X, transform)
    assert_transforms(step, made_for(name, rows(1, spread=2.5)), transform)


@pytest.mark.parametrize(
    "name",
    list(ANY),
)
def test_float32_transforms_agree_and_stay_float32(name, transform):
    # Without the column far from zero, which float32 cannot represent well.
    X = made_for(name, rows())[:, [0, 2, 3]].astype(np.float32)
    step = fitted(ANY[name], X)
    assert_transforms(step, X, transform)
    other = made_for(name, rows(1, spread=2.5))[:, [0, 2, 3]].astype(np.float32)
    assert_transforms(step, other, transform)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ANY
        if name != "imputer, constant"  # its constant is not an integer
    ],
)
def test_transforms_of_integers_agree(name, transform):
    X = made_for(name, rows()).astype(np.int64)
    step = fitted(ANY[name], X)
    assert_transforms(step, X, transform)
    other = made_for(name, rows(1, spread=2.5)).astype(np.int64)
    assert_transforms(step, other, transform)


@pytest.mark.parametrize(
    "step",
    [StandardScaler(), StandardScaler(with_std=False), MinMaxScaler()],
    ids=str,
)
def test_float32_columns_far_from_zero_are_scaled_with_the_same_rounding(
    step, transform
):
    years = np.random.default_rng(0).normal(2000, 1, (50, 3)).astype(np.float32)
    assert_transforms(step.fit(years), years, transform)


def takes_missing(name):
    refuse = ("zero", "best", "percentile", "univariate")
    return not any(word in name for word in refuse)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "name",
    [name for name in NUMERIC if takes_missing(name) and "normal" not in name],
)
def test_missing_numbers_are_passed_or_imputed(name, dtype, transform):
    places = [0, 2, 3]
    X, missing = (rows(k, spread=1 + k)[:, places].astype(dtype) for k in (0, 1))
    X[::7, 0], X[2:4, 2] = np.nan, np.nan
    missing[::3, :] = np.nan
    missing[1::5, 1:] = np.nan
    assert_transforms(fitted(ANY[name], X), missing, transform)


@pytest.mark.parametrize("name", ANY)
def test_a_network_behind_a_transformer_agrees_for_frames_and_for_32_bits(name, same):
    X = made_for(name, rows())[:, [0, 2, 3]]
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    for fitted_on, later in (
        (frame, frame[::-1] * 0.9),
        (np.float32(X), np.float32(X)),
    ):
        model = make_pipeline(ANY[name], StandardScaler(), small())
        model.fit(fitted_on, classes(X))
        same(model, to_onnx(model, fitted_on), later)


def small():
    return MLPClassifier((8,), max_epochs=2, random_state=0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "step",
    [PCA(2), PCA(3, whiten=True), PCA(0.9), TruncatedSVD(2, random_state=0)],
    ids=str,
)
def test_projections_by_skl2onnx_agree(step, dtype, same):
    X = StandardScaler().fit_transform(rows()[:, :4]).astype(dtype)
    model = make_pipeline(StandardScaler(), step, small()).fit(X, classes(X))
    export = to_onnx(model, X)
    same(model, export, X[:9] * 1.5)


def test_a_row_of_zeros_is_normalised_to_zeros(transform):
    X = np.array([[0.0, 0, 0], [1, 2, 3], [-1, 0, 0], [-1, 1, -5]])
    for norm in ("l1", "l2", "max"):
        assert_transforms(Normalizer(norm).fit(X), X, transform)


def test_clipping_gives_the_exact_bounds(transform):
    X = rows()
    step = MinMaxScaler((0, 1), clip=True).fit(X)
    beyond = np.concatenate([X - 1e6, X + 1e6, X])
    assert_transforms(step, beyond, transform)
    assert transform(step, beyond).max() == 1
    assert transform(step, beyond).min() == 0


@pytest.mark.skipif(
    "clip" not in MaxAbsScaler().get_params(), reason="scikit-learn has it from 1.8 on"
)
def test_max_abs_clips(transform):
    X = rows()
    assert_transforms(MaxAbsScaler(clip=True).fit(X), X * 3, transform)


# Inverse transforms


UNDONE = {
    **{name: step for name, step in NUMERIC.items() if "max" in name},
    **{name: step for name, step in NUMERIC.items() if "standard" in name},
    **{name: step for name, step in NUMERIC.items() if "robust" in name},
    "yeo-johnson": PowerTransformer(),
    "yeo-johnson, raw": PowerTransformer(standardize=False),
    "box-cox": PowerTransformer("box-cox"),
    "quantile": QuantileTransformer(n_quantiles=20),
    "quantile, normal": QuantileTransformer(
        n_quantiles=20, output_distribution="normal"
    ),
    "pipeline": make_pipeline(StandardScaler(), "passthrough", MinMaxScaler()),
    "log": FunctionTransformer(np.log1p, np.expm1),
    "identity": FunctionTransformer(),
}


@pytest.mark.parametrize("name", UNDONE)
def test_inverse_transforms_agree(name, transform):
    X = np.abs(rows()[:, [0, 2]]) + 0.5
    step = UNDONE[name].fit(X)
    try:
        assert_transforms(step, step.transform(X), transform, "inverse_transform")
    except AssertionError:
        # The normal distribution function is computed in float32.
        assert name == "quantile, normal"
        undone = transform(step, step.transform(X), "inverse_transform")
        np.testing.assert_allclose(undone, X, rtol=1e-5)


@pytest.mark.parametrize("exponent", [-1.5, 0.0, 0.3, 1.0, 2.0, 3.7])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_power_transforms_and_their_inverses_agree_for_every_exponent(
    method, exponent, transform
):
    x = np.linspace(0.01, 4, 50)[:, None]
    x = np.concatenate([-x, [[0.0]], x]) if method == "yeo-johnson" else x
    step = PowerTransformer(method, standardize=False).fit(x)
    step.lambdas_[:] = exponent
    assert_transforms(step, x, transform)
    bent = step.transform(x)
    assert_transforms(step, bent, transform, "inverse_transform")


# Distributions


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("n_quantiles", [1, 2, 3, 10, 17, 18, 50, 100])
def test_quantiles_of_repeated_values_and_of_their_edges(
    distribution, n_quantiles, transform
):
    rng = np.random.default_rng(0)
    X = np.stack(
        [
            rng.integers(0, 3, 100),
            np.repeat([0.0, 5.0], 50),
            rng.normal(size=100),
            np.full(100, 2.0),
            np.clip(rng.normal(size=100), -0.5, 0.5),
        ],
        1,
    )
    step = QuantileTransformer(
        n_quantiles=n_quantiles, output_distribution=distribution
    ).fit(X)
    edges = step.quantiles_
    middles = (edges[1:] + edges[:-1]) / 2
    assert_transforms(step, np.concatenate([X, edges, middles]), transform)
    for shift in (1e-9, 1e-6, 0.1, 99.0):
        within = np.concatenate([edges + shift, edges - shift])
        assert_transforms(step, within.clip(edges[0], edges[-1]), transform)


@pytest.mark.parametrize(
    "distribution",
    [
        "uniform",
        "normal",
    ],
)
def test_quantile_transforms_beyond_repeated_outer_quantiles_are_0_and_1(
    distribution, transform
):
    X = np.repeat([0.0, 1, 2, 3], 10)[:, None]
    step = QuantileTransformer(n_quantiles=20, output_distribution=distribution).fit(X)
    assert_transforms(step, np.array([[-1.0], [-1e-9], [3 + 1e-9], [4.0]]), transform)


def test_quantiles_of_float32_columns_agree_at_their_edges(transform):
    X = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    step = QuantileTransformer(n_quantiles=30).fit(X)
    assert_transforms(step, X, transform)
    assert_transforms(step, step.quantiles_.astype(np.float32), transform)


# Binning


def bins(**options):
    if options.get("strategy", "quantile") == "quantile":
        options.setdefault("quantile_method", "averaged_inverted_cdf")
    return KBinsDiscretizer(**options)


@pytest.mark.parametrize("encode", ["onehot", "onehot-dense", "ordinal"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("n_bins", [2, 5, 40, [2, 3, 4]])
def test_bins_agree(n_bins, strategy, encode, transform):
    X = rows(n=200)[:, :3]
    step = fitted(
        bins(n_bins=n_bins, encode=encode, strategy=strategy, random_state=0), X
    )
    assert_transforms(step, rows(1, n=200, spread=1.5)[:, :3], transform)
    edges = [
        [e[min(edge, len(e)) - 1] for e in step.bin_edges_] for edge in range(2, 40)
    ]
    assert_transforms(step, np.array(edges), transform)


@pytest.mark.parametrize("dtype", [None, np.float32, np.float64])
@pytest.mark.parametrize("given_dtype", [np.float32, np.float64])
def test_bins_have_the_dtype_parameter(dtype, given_dtype, transform):
    X = rows()[:, :3].astype(given_dtype)
    for encode in ("ordinal", "onehot"):
        step = fitted(bins(encode=encode, dtype=dtype), X)
        assert_transforms(step, X, transform)


NUMBERS = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@given(
    edges=st.lists(NUMBERS, max_size=70, unique=True).map(sorted),
    xs=st.lists(NUMBERS, min_size=1, max_size=20),
)
def test_bins_count_the_edges_at_or_below(edges, xs):
    x = np.array(
        [*xs, *edges, *np.nextafter(edges, np.inf), *np.nextafter(edges, -np.inf)]
    )
    got = alone(lambda graph, v: bin_index(graph, v, np.array(edges)), x)
    np.testing.assert_array_equal(got, np.searchsorted(edges, x, side="right"))


@given(
    points=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40),
    xs=st.lists(NUMBERS, min_size=1, max_size=20),
)
def test_interpolation_equals_numpy_interp(points, xs):
    xp = np.unique([x for x, _ in points])
    fp = np.array([y for _, y in points])[: len(xp)]
    x = np.array([*xs, *xp, *np.nextafter(xp, np.inf), xp[0] - 1, xp[-1] + 1])
    got = alone(lambda graph, v: interpolate(graph, graph.reshape(v, (-1,)), xp, fp), x)
    np.testing.assert_allclose(got, np.interp(x, xp, fp), atol=1e-6, rtol=1e-9)


def alone(write, x):
    """Run the graph that a function writes for one column."""
    graph = Graph(18)
    column = Value("x", DOUBLE)
    model = graph.model([(column, (1,))], [write(graph, column)])
    (out,) = open_session(model.SerializeToString()).run(None, {"x": x.reshape(-1, 1)})
    return out


# Functions


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "function", FUNCTIONS, ids=lambda f: getattr(f, "__name__", "-")
)
def test_functions_of_numpy_agree(function, dtype, transform):
    X = np.abs(rows()[:, [0, 2]]).astype(dtype) + dtype(0.1)
    assert_transforms(FunctionTransformer(function).fit(X), X, transform)


@pytest.mark.parametrize(
    "function",
    [
        np.exp,
        np.exp2,
        np.expm1,
        np.cbrt,
        np.square,
        np.abs,
        np.negative,
        np.tanh,
        np.sinh,
        np.arcsinh,
        np.reciprocal,
    ],
    ids=lambda f: f.__name__,
)
def test_functions_agree_on_either_side_of_zero_and_near_it(function, transform):
    X = np.array([-5.0, -1, -1e-3, -1e-8, 1e-8, 1e-3, 1, 5])[:, None]
    step = FunctionTransformer(function).fit(X)
    expected, got = step.transform(X), transform(step, X)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", ["log", "log1p", "log2", "log10", "sqrt"])
def test_functions_outside_of_their_domain_agree_with_numpy(name, transform):
    X = np.array([[-2.0], [0.0], [1.0]])
    step = FunctionTransformer(getattr(np, name)).fit(X)
    with np.errstate(all="ignore"):
        expected = step.transform(X)
    np.testing.assert_allclose(transform(step, X), expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("function", [None, np.sqrt, np.square, np.exp])
def test_functions_of_integers_agree(function, dtype, same):
    frame = pd.DataFrame({"a": np.arange(40) % 7, "b": np.arange(40)[::-1] % 5})
    frame = frame.astype(dtype)
    step = FunctionTransformer(function)
    model = make_pipeline(step, small()).fit(frame, classes(frame))
    same(model, to_onnx(model, frame), frame[::-1])


@pytest.mark.parametrize(
    "step",
    [
        FunctionTransformer(np.sin),
        FunctionTransformer(lambda X: X * 2),
        FunctionTransformer(np.log1p, kw_args={"where": True}),
    ],
    ids=["sin", "lambda", "arguments"],
)
def test_the_error_names_the_step_of_an_unsupported_function(step):
    X = np.abs(rows())
    model = make_pipeline(step, StandardScaler(), small()).fit(X, classes(X))
    with pytest.raises(OnnxExportError, match=r"'functiontransformer'.*no ONNX form"):
        to_onnx(model, X)


# Missing values


def holed(seed=0, value=np.nan):
    X = rows(seed)[:, :4]
    X[np.random.default_rng(seed).random(X.shape) < 0.2] = value
    return X


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("missing", [np.nan, 0, -1])
@pytest.mark.parametrize("indicator", [True, False])
def test_imputed_numbers_agree(strategy, missing, indicator, transform):
    step = SimpleImputer(
        strategy=strategy, missing_values=missing, add_indicator=indicator, fill_value=2
    )
    step.fit(holed(value=missing))
    assert_transforms(step, holed(1, missing), transform)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("indicator", [True, False])
def test_a_column_without_values_is_dropped_or_kept(
    strategy, keep, indicator, transform
):
    X = holed()
    X[:, 1] = np.nan
    step = SimpleImputer(
        strategy=strategy, keep_empty_features=keep, add_indicator=indicator
    )
    assert_transforms(fitted(step, X), X, transform)


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
def test_integers_that_mark_missing_values_are_imputed(strategy, transform):
    rng = np.random.default_rng(0)
    X = rng.integers(-1, 9, (50, 3))
    step = SimpleImputer(strategy=strategy, missing_values=-1, fill_value=4).fit(X)
    assert_transforms(step, rng.integers(-1, 9, (50, 3)), transform)


def test_integer_columns_are_never_missing(transform):
    X = np.arange(12).reshape(6, 2)
    assert_transforms(SimpleImputer().fit(X.astype(float)), X, transform)


def words(seed=0, n=60, missing=False, more=()):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": rng.choice(["x", "y", "z", *more], n).astype(object),
            "b": rng.choice(["long one", "é", "", *more], n).astype(object),
        }
    )
    if missing:
        frame = frame.mask(rng.random(frame.shape) < 0.2, np.nan)
    return frame.astype(object)


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "most_frequent"},
        {"strategy": "constant"},
        {"strategy": "constant", "fill_value": "none"},
        {"strategy": "constant", "fill_value": "x", "missing_values": "z"},
    ],
    ids=str,
)
def test_imputed_strings_agree(options, transform):
    missing = "missing_values" not in options
    step = SimpleImputer(**options).fit(words(missing=missing))
    assert_transforms(step, words(1, missing=missing, more=["new"]), transform)


def test_an_indicator_in_one_array_with_strings_is_refused(transform):
    frame = words(missing=True)
    step = SimpleImputer(strategy="most_frequent", add_indicator=True).fit(frame)
    with pytest.raises(OnnxExportError, match="separate MissingIndicator"):
        transform(step, frame)


@pytest.mark.parametrize("features", ["missing-only", "all"])
@pytest.mark.parametrize("sparse", [True, False, "auto"])
@pytest.mark.parametrize("missing", [np.nan, 0])
def test_missing_indicators_agree(features, sparse, missing, transform):
    X = holed(value=missing)
    X[:, 0] = 1.0
    step = MissingIndicator(
        missing_values=missing, features=features, sparse=sparse, error_on_new=False
    ).fit(X)
    assert_transforms(step, holed(1, missing), transform)


def test_missing_indicators_of_strings_are_joined_with_encodings(same):
    frame = words(missing=True)
    columns = ColumnTransformer(
        [
            ("gone", MissingIndicator(), ["a", "b"]),
            ("one", OneHotEncoder(handle_unknown="ignore"), ["a", "b"]),
        ]
    )
    model = make_pipeline(columns, small()).fit(frame, classes(frame))
    same(model, to_onnx(model, frame), words(1, missing=True, more=["new"]))


def test_an_indicator_without_missing_values_has_no_columns(same):
    X = rows()
    columns = ColumnTransformer(
        [("gone", MissingIndicator(), [0, 1]), ("s", StandardScaler(), [0, 1, 2])]
    )
    model = make_pipeline(columns, small()).fit(X, classes(X))
    same(model, to_onnx(model, X), rows(1))


# Encoders


KINDS = {
    "strings": (np.array(["b", "a", "Ä", "", "two words", "zz"], object), "new"),
    "ints": (np.array([3, -1, 7, 0, 100, 12]), 55),
    "floats": (np.array([0.1, -2.5, 7.0, 0.0, 1e-9, 3e9]), 0.2),
    "floats and missing": (np.array([0.1, -2.5, np.nan, 0.0, 1e-9, 3e9]), 0.2),
    "bools": (np.array([True, False]), None),
    "strings and missing": (np.array(["b", "a", np.nan, "", "c", "d"], object), "new"),
    "strings and None": (np.array(["b", "a", None, "", "c", "d"], object), "new"),
}


def drawn(kind, seed=0, n=80, unseen=False):
    """A frame of two columns with some frequent values."""
    values, new = KINDS[kind]
    rng = np.random.default_rng(seed)
    shares = np.linspace(3, 1, len(values)) ** 2
    places = rng.choice(len(values), (n, 2), p=shares / shares.sum())
    places[: len(values)] = np.arange(len(values))[:, None]
    drawn = values[places]
    if unseen and new is not None:
        drawn[rng.random((n, 2)) < 0.2] = new
    columns = {f"c{j}": pd.Series(drawn[:, j], dtype=values.dtype) for j in range(2)}
    return pd.DataFrame(columns)


ONE_HOT = {
    "plain": {},
    "ignore": {"handle_unknown": "ignore"},
    "infrequent": {"handle_unknown": "infrequent_if_exist", "min_frequency": 15},
    "infrequent, share": {
        "handle_unknown": "infrequent_if_exist",
        "min_frequency": 0.2,
    },
    "most frequent": {"handle_unknown": "infrequent_if_exist", "max_categories": 3},
    "most frequent, error": {"max_categories": 3},
    "infrequent, ignore": {"handle_unknown": "ignore", "min_frequency": 15},
    "infrequent, none": {"handle_unknown": "infrequent_if_exist", "min_frequency": 1},
    "drop first": {"drop": "first"},
    "drop first, ignore": {"drop": "first", "handle_unknown": "ignore"},
    "drop if binary": {"drop": "if_binary", "handle_unknown": "ignore"},
    "drop first, infrequent": {
        "drop": "first",
        "handle_unknown": "infrequent_if_exist",
        "max_categories": 3,
    },
    "float32": {"handle_unknown": "ignore", "dtype": np.float32},
    "integers": {"handle_unknown": "ignore", "dtype": np.int64},
    "dense": {"handle_unknown": "ignore", "sparse_output": False},
    "warn": {"handle_unknown": "warn", "max_categories": 3},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", ONE_HOT)
def test_one_hot_encoders_agree_in_every_option(options, kind, transform):
    step = OneHotEncoder(**ONE_HOT[options]).fit(drawn(kind))
    unseen = step.handle_unknown != "error"
    assert_transforms(step, drawn(kind), transform)
    assert_transforms(step, drawn(kind, 1, unseen=unseen), transform)


def test_a_named_category_is_dropped(transform):
    frame = drawn("strings")
    step = OneHotEncoder(drop=["a", "zz"], handle_unknown="ignore").fit(frame)
    assert_transforms(step, drawn("strings", 1, unseen=True), transform)


def test_categories_passed_to_an_encoder_keep_their_order(transform):
    frame = drawn("ints")
    given_ones = [np.sort(KINDS["ints"][0]), np.array([-1, 0, 3, 7, 12, 100, 101])]
    step = OneHotEncoder(categories=given_ones, handle_unknown="ignore").fit(frame)
    assert_transforms(step, drawn("ints", 1, unseen=True), transform)
    texts = drawn("strings")
    backwards = [KINDS["strings"][0][::-1]] * 2
    for step in (
        OneHotEncoder(categories=backwards),
        OrdinalEncoder(categories=backwards),
    ):
        assert_transforms(step.fit(texts), texts, transform)


ORDINAL = {
    "plain": {},
    "unknown -1": {"handle_unknown": "use_encoded_value", "unknown_value": -1},
    "unknown nan": {"handle_unknown": "use_encoded_value", "unknown_value": np.nan},
    "missing -2": {
        "handle_unknown": "use_encoded_value",
        "unknown_value": -1,
        "encoded_missing_value": -2,
    },
    "infrequent": {
        "handle_unknown": "use_encoded_value",
        "unknown_value": -1,
        "min_frequency": 15,
    },
    "most frequent": {
        "handle_unknown": "use_encoded_value",
        "unknown_value": 99,
        "max_categories": 3,
    },
    "float32": {"dtype": np.float32},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", ORDINAL)
def test_ordinal_encoders_agree_in_every_option(options, kind, transform):
    step = OrdinalEncoder(**ORDINAL[options]).fit(drawn(kind))
    unseen = step.handle_unknown != "error"
    assert_transforms(step, drawn(kind), transform)
    assert_transforms(step, drawn(kind, 1, unseen=unseen), transform)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["binary", "multiclass", "continuous", "words"])
def test_target_encoders_agree_for_every_target(target, kind, transform):
    frame = drawn(kind)
    code = np.random.default_rng(0).integers(0, 3, len(frame))
    y = {
        "binary": code > 0,
        "multiclass": code,
        "continuous": code * 1.37 + 0.5,
        "words": np.array(["p", "q", "r"])[code],
    }[target]
    step = TargetEncoder().fit(frame, y)
    assert_transforms(step, frame, transform)
    assert_transforms(step, drawn(kind, 1, unseen=True), transform)


@pytest.mark.parametrize("smooth", ["auto", 0.0, 10.0])
def test_smoothing_of_target_encoders_agrees(smooth, same):
    frame = drawn("strings")
    y = np.arange(len(frame)) % 3
    columns = ColumnTransformer([("t", TargetEncoder(smooth=smooth), ["c0", "c1"])])
    model = make_pipeline(columns, small()).fit(frame, y)
    same(model, to_onnx(model, frame), drawn("strings", 1, unseen=True))
    number = MLPRegressor((8,), max_epochs=2, random_state=0)
    model = make_pipeline(columns, number).fit(frame, y * 1.5)
    same(model, to_onnx(model, frame), drawn("strings", 1, unseen=True))


@pytest.mark.parametrize("encoder", [OneHotEncoder, OrdinalEncoder])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_encodings_of_arrays_of_numbers_agree(encoder, dtype, transform):
    X = np.random.default_rng(0).integers(0, 2, (40, 3)).astype(dtype)
    assert_transforms(encoder().fit(X), X, transform)


@pytest.mark.parametrize("encoder", [OneHotEncoder, OrdinalEncoder])
def test_encodings_of_arrays_of_strings_agree(encoder, same):
    X = np.random.default_rng(0).choice(["a", "bb", "c"], (40, 2))
    model = make_pipeline(encoder(), small()).fit(X, classes(X))
    for given_ones in (X, X.astype(object)):
        export = to_onnx(model, given_ones)
        (info,) = export.model.graph.input
        assert info.type.tensor_type.elem_type == 8  # string
        session = open_session(export.to_bytes())
        label, probabilities = session.run(None, {"X": X[:9].astype(object)})
        np.testing.assert_allclose(probabilities, model.predict_proba(X[:9]), atol=1e-9)
        np.testing.assert_array_equal(label, model.predict(X[:9]))


def test_a_thousand_categories_need_little_space(same):
    frame = pd.DataFrame({"c": [f"category {i:04d}" for i in range(1000)] * 2})
    one_hot = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(one_hot, small()).fit(frame, classes(frame))
    export = to_onnx(model, frame)
    weights = 1000 * 8 * 8
    assert len(export.to_bytes()) < weights + 120_000
    same(
        model,
        export,
        pd.DataFrame({"c": ["category 0999", "category", "category 0000"]}),
    )


def test_unknown_categories_that_the_encoder_refuses_give_nan(run):
    frame = drawn("strings")
    model = make_pipeline(OneHotEncoder(), small()).fit(frame, classes(frame))
    export = to_onnx(model, frame)
    unknown = drawn("strings", 1)[:2]
    unknown.loc[0, "c0"] = "unheard of"
    with pytest.raises(ValueError, match="unknown categories"):
        model.predict(unknown)
    probabilities = run(export, unknown)["probabilities"]
    assert np.isnan(probabilities[0]).all()
    assert np.isfinite(probabilities[1]).all()


@pytest.mark.parametrize("encoder", [OneHotEncoder, OrdinalEncoder])
def test_integers_beyond_float_precision_are_distinguished(encoder, same):
    frame = pd.DataFrame({"c": [2**53, 2**53 + 1, 2**53 + 2, 5] * 10})
    columns = make_pipeline(encoder(), StandardScaler(with_mean=False))
    model = make_pipeline(columns, small()).fit(frame, classes(frame))
    same(model, to_onnx(model, frame), frame)


@pytest.mark.parametrize("encoder", [ONE_HOT["ignore"], ORDINAL["unknown -1"]], ids=str)
def test_an_unseen_integer_next_to_a_large_known_one_is_unknown(encoder, transform):
    kind = OrdinalEncoder if "unknown_value" in encoder else OneHotEncoder
    step = kind(**encoder).fit(pd.DataFrame({"c": [2**53, 5] * 10}))
    unseen = pd.DataFrame({"c": [2**53 + 1, 2**53, 5]})
    assert_transforms(step, unseen, transform)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OneHotEncoder(handle_unknown="ignore"),
        lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
    ids=["one-hot", "ordinal"],
)
@pytest.mark.parametrize(
    "values",
    [
        st.text(max_size=3).filter(lambda text: text != "nan" and "\0" not in text),
        st.integers(-(2**40), 2**40),
        st.floats(-10, 10).map(lambda x: round(x, 1) + 0.0),
        st.booleans(),
    ],
    ids=["text", "integers", "floats", "booleans"],
)
def test_encoders_agree_for_any_categories(values, make, transform):
    @settings(max_examples=30)
    @given(st.data())
    def check(data):
        known = data.draw(st.lists(values, min_size=1, max_size=8, unique=True))
        later = data.draw(st.lists(values, min_size=1, max_size=8))
        kind = object if isinstance(known[0], str) else None
        frame = pd.DataFrame({"c": pd.Series(known * 2, dtype=kind)})
        step = make().fit(frame)
        fresh = pd.DataFrame({"c": pd.Series(known + later, dtype=kind)})
        assert_transforms(step, fresh, transform)

    check()


# Without an ONNX form


def test_the_error_names_the_step_of_a_transformer_without_converter():
    X = rows()[:, :1]
    model = make_pipeline(StandardScaler(), SplineTransformer(), small())
    model.fit(X, classes(X))
    with pytest.raises(OnnxExportError, match="'splinetransformer': SplineTransformer"):
        to_onnx(model, X)


def test_integers_stay_integers_between_imputer_and_encoder(same):
    frame = pd.DataFrame({"c": np.arange(60) % 5, "d": np.arange(60) % 3})
    imputed = SimpleImputer(strategy="most_frequent", missing_values=4)
    one_hot = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(imputed, one_hot, small()).fit(frame, classes(frame))
    export = to_onnx(model, frame)
    same(model, export, frame + 1)
