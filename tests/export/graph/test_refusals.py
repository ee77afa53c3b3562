"""Rows that an estimator refuses are refused by its file: readers raise, outputs are NaN.

Whether a row is refused is asked of the fitted estimator, one row at a time.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
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
    StandardScaler,
)
from sklearn.utils import get_tags
from torch import nn

import sklearn_deep
from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    OnnxRegressor,
    OnnxTransformer,
    Quantized,
    RNNClassifier,
    Sliced,
    to_onnx,
)
from sklearn_deep.serving._reader import OnnxEstimator

SMALL = {"hidden_layer_sizes": (6,), "max_epochs": 2, "random_state": 0}
ODD = [np.nan, np.inf, -np.inf, 1e39, 1e200, -1e300, 0.0, -1.0]


def drawn(n=60, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2.0, (n, 4))


X = drawn()
Y = np.arange(60) % 3


def network(**params):
    return MLPClassifier(**{**SMALL, **params})


def reader_of(model):
    if is_classifier(model):
        return OnnxClassifier
    return OnnxRegressor if is_regressor(model) else OnnxTransformer


def odd_rows(X, odd=tuple(ODD)):
    """Copies of the first row with one number changed."""
    rows = np.repeat(X[:1], len(odd), axis=0)
    rows.reshape(len(odd), -1)[np.arange(len(odd)), np.arange(len(odd)) % 4] = odd
    return rows


def takes(model, row):
    method = "predict" if hasattr(model, "predict") else "transform"
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return getattr(model, method)(row), method
    except ValueError:
        return None, method


def float_outputs(outputs):
    for value in outputs.values():
        for part in value if isinstance(value, list) else [value]:
            if part.dtype.kind == "f":
                yield part.reshape(len(part), -1)


def assert_refuses_alike(model, export, good, rows, run):
    """For rows that the estimator refuses, readers raise and float outputs are NaN."""
    reader = reader_of(model)(export.to_bytes())
    n_refused = 0
    for i in range(len(rows)):
        row = rows.iloc[i : i + 1] if hasattr(rows, "iloc") else rows[i : i + 1]
        both = pd.concat([good, row]) if hasattr(rows, "iloc") else None
        both = np.concatenate([good, row]) if both is None else both
        expected, method = takes(model, row)
        floats = list(float_outputs(run(export, both)))
        assert floats
        if expected is not None:
            got = getattr(reader, method)(row)
            if method == "predict":
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
            continue
        n_refused += 1
        for part in floats:
            assert np.isnan(part[-1]).all()
            assert not np.isnan(part[:-1]).any(1).all()
        with pytest.raises(ValueError, match=rf"refuses 1 of {len(both)} rows of X: "):
            getattr(reader, method)(both)
    return n_refused


STEPS = {
    "standard": StandardScaler(),
    "min-max clipped": MinMaxScaler(clip=True),
    "max-abs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "bins": KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
    "bins ordinal": KBinsDiscretizer(
        3, encode="ordinal", quantile_method="averaged_inverted_cdf"
    ),
    "binarizer": Binarizer(threshold=1.2),
    "normalizer": Normalizer(),
    "polynomial": PolynomialFeatures(2),
    "yeo-johnson": PowerTransformer(),
    "box-cox": PowerTransformer(method="box-cox"),
    "box-cox raw": PowerTransformer(method="box-cox", standardize=False),
    "quantile": QuantileTransformer(n_quantiles=10),
    "quantile normal": QuantileTransformer(
        n_quantiles=10, output_distribution="normal"
    ),
    "function": FunctionTransformer(np.tanh),
    "function validated": FunctionTransformer(np.tanh, validate=True),
    "imputer": SimpleImputer(),
    "imputer of zeros": SimpleImputer(missing_values=0.0),
    "imputer indicates": SimpleImputer(add_indicator=True),
    "indicator": make_union(MissingIndicator(features="all"), SimpleImputer()),
    "indicator of new": make_union(MissingIndicator(), SimpleImputer()),
    "pca": PCA(2),
    "k best": SelectKBest(k=2),
    "variance": VarianceThreshold(0.1),
    "scaled then clipped": make_pipeline(StandardScaler(), MinMaxScaler(clip=True)),
    "one-hot": OneHotEncoder(handle_unknown="ignore"),
    "ordinal": OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
    ),
    "columns dropped": make_column_transformer(
        (StandardScaler(), [0, 1]), (Binarizer(), [3])
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_files_of_steps_refuse_the_same_rows(step, dtype, run):
    x = X.astype(dtype)
    odd = [v for v in ODD if not np.isfinite(v) or abs(v) < float(np.finfo(dtype).max)]
    rows = odd_rows(x, odd)
    # Sigmoid and tanh make infinity finite; a selector drops columns after them.
    model = make_pipeline(step, network(activation="tanh")).fit(x, Y)
    assert_refuses_alike(model, to_onnx(model, x), x[:2], rows, run)


def test_columns_dropped_by_a_selector_are_checked(run):
    steps = make_pipeline(StandardScaler(), SelectKBest(k=1))
    model = make_pipeline(steps, network()).fit(X, Y)
    rows = odd_rows(X, [np.inf, np.nan, np.inf, np.nan] * 2)
    assert assert_refuses_alike(model, to_onnx(model, X), X[:2], rows, run) == 8


MODELS = {
    "mlp": network(),
    "mlp of 32 bits": network(dtype="float32"),
    "sigmoid": network(activation="sigmoid"),
    "quantized": Quantized(network(), bits=8),
    "sliced": Sliced(network(), fine_tune_epochs=1),
    "plain cnn over series": CNNClassifier((4, 4), spatial_dims=1, max_epochs=1),
    "gru": RNNClassifier(4, max_epochs=1),
    "lstm": RNNClassifier(4, cell="lstm", readout="max", max_epochs=1),
    "quantized gru": Quantized(RNNClassifier(4, max_epochs=1)),
    "hard votes": VotingClassifier(
        [("n", network()), ("t", RandomForestClassifier(3))]
    ),
    "soft votes": VotingClassifier(
        [("n", network()), ("l", LogisticRegression())], voting="soft"
    ),
    "stack": StackingClassifier(
        [("n", network()), ("t", RandomForestClassifier(3, random_state=0))], cv=2
    ),
    "stack of what takes NaN": StackingClassifier(
        [("n", network()), ("h", HistGradientBoostingClassifier(max_iter=3))], cv=2
    ),
    "sigmoid calibration": CalibratedClassifierCV(network(), cv=2),
    "isotonic calibration": CalibratedClassifierCV(network(), method="isotonic", cv=2),
    "one vs rest": OneVsRestClassifier(network()),
    "one vs one": OneVsOneClassifier(network()),
    "bags": BaggingClassifier(network(), 2, max_features=0.5, random_state=0),
    "boosted": AdaBoostClassifier(
        RandomForestClassifier(2, max_depth=2), n_estimators=2
    ),
    "neighbours": KNeighborsClassifier(3),
    "forest": RandomForestClassifier(3, random_state=0),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_files_of_models_refuse_the_same_rows(model, run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about early stopping and small folds
        model = make_pipeline(FunctionTransformer(), model).fit(X, Y)
    export = to_onnx(model, X, tolerance=0.02)
    # Numbers beyond float32 are skipped if the file computes in float32.
    rows = odd_rows(X, [np.nan, np.inf, -np.inf])
    # Forests accept missing values; only histogram-based trees accept infinity.
    assert assert_refuses_alike(model, export, X[:2], rows, run) >= 2


@pytest.mark.parametrize(
    "model",
    [
        MLPRegressor(**SMALL),
        MLPRegressor(loss="poisson", **SMALL),
        MLPRegressor(loss="gaussian", **SMALL),
        Quantized(MLPRegressor(**SMALL)),
        VotingRegressor([("n", MLPRegressor(**SMALL)), ("r", Ridge())]),
        VotingRegressor(
            [
                ("n", MLPRegressor(**SMALL)),
                ("g", GradientBoostingRegressor(n_estimators=2)),
            ]
        ),
        TransformedTargetRegressor(MLPRegressor(**SMALL), transformer=StandardScaler()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_files_of_regressors_refuse_the_same_rows(model, run):
    model.fit(X, Y + 1.0)
    rows = odd_rows(X, [np.nan, np.inf, -np.inf])
    export = to_onnx(model, X, tolerance=0.05)
    assert assert_refuses_alike(model, export, X[:2], rows, run) == 3


def test_outputs_that_overflow_are_refused(run):
    network = {"activation": "identity", "max_epochs": 1, "random_state": 0}
    model = MLPRegressor((4,), dtype="float32", **network)
    x = X.astype(np.float32)
    model.fit(x, Y + 1.0)
    rows = np.full((1, 4), 3e38, np.float32)
    rows = np.concatenate([rows, -rows])
    n_refused = assert_refuses_alike(model, to_onnx(model, x), x[:2], rows, run)
    assert n_refused  # otherwise the rows test nothing


def test_lists_of_probabilities_and_dictionaries_show_refused_rows():
    several = np.stack([Y, Y % 2], 1)
    model = MultiOutputClassifier(network()).fit(X, several)
    reader = OnnxClassifier(to_onnx(model, X).to_bytes())
    bad = X[:4].copy()
    bad[[1, 3], 2] = np.nan
    for method in ("predict", "predict_proba"):
        with pytest.raises(ValueError, match="refuses 2 of 4 rows of X: 1, 3"):
            getattr(reader, method)(bad)
    for zipmap in (True, "columns"):
        export = to_onnx(network().fit(X, Y), X, options={"zipmap": zipmap})
        with pytest.raises(ValueError, match="refuses 2 of 4 rows of X: 1, 3"):
            OnnxClassifier(export.to_bytes()).predict(bad)


def test_raw_scores_show_refused_rows(run):
    model = network().fit(X, Y % 2)
    export = to_onnx(model, X, options={"raw_scores": True})
    rows = odd_rows(X, [np.nan, np.inf])
    assert assert_refuses_alike(model, export, X[:2], rows, run) == 2


def test_many_refused_rows_are_counted_and_the_first_are_named():
    reader = OnnxClassifier(to_onnx(network().fit(X, Y), X).to_bytes())
    with pytest.raises(ValueError, match=r"20 of 20 rows of X: 0, 1, 2, 3, 4, \.\.\."):
        reader.predict(np.full((20, 4), np.nan))


# Encoders


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()], ids=str)
def test_unknown_categories_are_refused_whatever_follows(encoder, run):
    frame = pd.DataFrame({"c": ["a", "b", "c"] * 20, "x": np.arange(60.0)})
    prepare = make_column_transformer((encoder, ["c"]), (StandardScaler(), ["x"]))
    model = make_pipeline(prepare, SelectKBest(lambda X, y: X.var(0), k=1), network())
    model.fit(frame, Y)
    rows = pd.DataFrame({"c": ["b", "unheard of", "a"], "x": [1.0, 2.0, np.inf]})
    export = to_onnx(model, frame)
    # Only the column of x is left, or one of another category.
    assert assert_refuses_alike(model, export, frame[:2], rows, run) == 2


# Transformers


def test_transformers_raise_only_where_the_estimator_does(run):
    x = X.copy()
    x[3, 0] = np.nan
    for step in (StandardScaler(), PowerTransformer(), MinMaxScaler(clip=True)):
        model = make_pipeline(step, FunctionTransformer()).fit(x)
        export = to_onnx(model, x)
        reader = OnnxTransformer(export.to_bytes())
        np.testing.assert_allclose(reader.transform(x), model.transform(x))
        rows = odd_rows(X, [np.inf, -np.inf, np.nan])
        with pytest.raises(ValueError, match="refuses 2 of 3 rows of X: 0, 1"):
            reader.transform(rows)
        marks = run(export, rows)["refused"]
        np.testing.assert_array_equal(marks, [True, True, False])


def test_integers_of_transformers_show_refused_rows():
    encoder = OrdinalEncoder(dtype=np.int64)
    frame = pd.DataFrame({"c": ["a", "b"] * 5})
    model = make_pipeline(FunctionTransformer(), encoder).fit(frame)
    reader = OnnxTransformer(to_onnx(model, frame).to_bytes())
    with pytest.raises(ValueError, match="refuses 1 of 2 rows of X: 1"):
        reader.transform(pd.DataFrame({"c": ["a", "z"]}))


# Sequences


@pytest.mark.parametrize("by_step", [False, True])
def test_padding_of_sequences_is_not_checked(by_step, run):
    series = [np.random.default_rng(k).normal(size=(2 + k % 3, 1)) for k in range(12)]
    y = [np.arange(len(s)) % 2 for s in series] if by_step else np.arange(12) % 2
    model = RNNClassifier(4, max_epochs=1, return_sequences=by_step).fit(series, y)
    export = to_onnx(model, series)
    steps = np.zeros((3, 4, 1), np.float64)
    steps[0, 2:], steps[1, 1] = np.nan, np.inf
    session_input = {i.name: i for i in export.model.graph.input}
    assert set(session_input) == {"X", "lengths"}
    outputs = run_by_hand(export, steps, np.array([2, 2, 4]))
    refused = np.isnan(outputs["probabilities"]).reshape(3, -1).all(1)
    np.testing.assert_array_equal(refused, [False, True, False])
    reader = OnnxClassifier(export.to_bytes())
    bad = [series[0], series[1].copy()]
    bad[1][-1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        reader.predict(bad)


def run_by_hand(export, steps, lengths):
    import onnxruntime

    session = onnxruntime.InferenceSession(export.model.SerializeToString())
    names = [out.name for out in session.get_outputs()]
    values = session.run(None, {"X": steps, "lengths": lengths.astype(np.int64)})
    return dict(zip(names, values, strict=True))


# Every estimator of the package


class Net(nn.Sequential):
    def __init__(self, n_features, n_outputs):
        super().__init__(nn.Linear(n_features, 4), nn.Tanh(), nn.Linear(4, n_outputs))


def every_estimator():
    for name in sklearn_deep.__all__:
        cls = getattr(sklearn_deep, name)
        if not (isinstance(cls, type) and issubclass(cls, BaseEstimator)):
            continue
        if issubclass(cls, (OnnxEstimator, sklearn_deep.Augmentation)):
            continue
        if "tasks" in cls._rules:
            continue  # no reader of ours takes its file: networks/test_several.py
        if "pretrained" in cls._rules:
            yield name, cls(network(), FrozenEstimator(network().fit(X, Y)))
        elif "estimator" in cls._rules:
            of_numbers = name.endswith("Regressor")
            yield name, cls(MLPRegressor(**SMALL) if of_numbers else network())
        elif "module" in cls._rules:
            yield name, cls(Net, max_epochs=1)
        else:
            yield name, cls(max_epochs=1)


EVERY = dict(every_estimator())


@pytest.mark.parametrize("model", EVERY.values(), ids=EVERY)
def test_the_file_of_every_estimator_refuses_the_same_rows(model, run):
    y = Y + 1.0 if is_regressor(model) else Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the short training
        model.fit(X, y)
    if not any(hasattr(model, method) for method in ("predict", "transform")):
        pytest.skip("it has no predictions")
    export = to_onnx(model, X, tolerance=0.1)
    rows = odd_rows(X, [np.nan, np.inf, -np.inf])
    n_refused = 2 if get_tags(model).input_tags.allow_nan else 3
    assert assert_refuses_alike(model, export, X[:2], rows, run) == n_refused
