"""A parameter that is changed after ``fit`` changes no prediction before the next one."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_deep
from sklearn_deep import (
    ChunkedFit,
    CNNAutoencoder,
    CNNClassifier,
    CNNRegressor,
    FederatedClassifier,
    FederatedRegressor,
    FineTuned,
    LearningRateFinder,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    ModuleRegressor,
    MultiTask,
    NetworkFeatures,
    Pruned,
    Quantized,
    RNNClassifier,
    RNNRegressor,
    SemiSupervised,
    Sliced,
    TabularClassifier,
    TabularRegressor,
    ValidationHoldout,
    to_onnx,
)
from sklearn_deep._subclasses import TracksSubclasses
from sklearn_deep.serving._reader import OnnxEstimator

QUICK = {"max_epochs": 2, "random_state": 0}
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(24, 6))
LABELS = np.array(["no", "yes"])[np.arange(24) % 2]
NUMBERS = RNG.normal(size=24)
SEVERAL = np.array([*zip(LABELS, NUMBERS, strict=True)], object)
PIXELS = RNG.integers(0, 256, size=(24, 1, 6, 6)).astype(np.uint8)
SERIES = RNG.normal(size=(24, 2, 5))
UNEQUAL = [RNG.normal(size=(2, n)) for n in [3, 0, 5, 1, 2, 4] * 4]
TEXTS = ["ab c", "b", "c a a", "", "a b", "c"] * 4
TOKENS = [[1, 2], [3], [], [2, 2, 1], [1], [3, 3]] * 4
FRAME = pd.DataFrame(
    {
        "size": np.where(np.arange(24) % 5, ROWS[:, 0], np.nan),
        "town": ["A", None, "B", "A"] * 6,
        "shop": [f"s{i % 11}" for i in range(24)],
        "open": NUMBERS > 0,
    }
)
STEPS = [np.arange(x.shape[1]) % 2 for x in UNEQUAL]


class Net(nn.Sequential):
    """A module of one's own."""

    def __init__(self, n_features, n_outputs, width=4):
        super().__init__(
            nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_outputs)
        )


def mlp(**params):
    return MLPClassifier((6, 4), **{**QUICK, **params})


def rnn(**params):
    return RNNClassifier(4, **{**QUICK, **params})


PRETRAINED = mlp().fit(ROWS, LABELS)
FIRST = {"channels": "first"}
CASES = {
    "mlp": (mlp(normalization="batch", class_weight="balanced"), ROWS, LABELS),
    "regressor": (MLPRegressor((4,), loss="gaussian", **QUICK), ROWS, NUMBERS),
    "frame": (
        TabularClassifier(
            (4,), n_networks=2, categorical_features=["town", "shop"], **QUICK
        ),
        FRAME,
        LABELS,
    ),
    "frame regressor": (
        TabularRegressor(
            (4,), n_networks=2, numeric_embedding="piecewise_linear", **QUICK
        ),
        ROWS,
        NUMBERS,
    ),
    "autoencoder": (MLPAutoencoder((4,), code_size=2, **QUICK), ROWS, None),
    "module": (ModuleClassifier(Net, module__width=3, **QUICK), ROWS, LABELS),
    "module regressor": (ModuleRegressor(Net, **QUICK), ROWS, NUMBERS),
    "flat cnn": (
        CNNClassifier((2,), input_shape=(2, 3), spatial_dims=2, **QUICK),
        ROWS,
        LABELS,
    ),
    "cnn": (CNNClassifier((2,), channels="first", **QUICK), PIXELS, LABELS),
    "cnn regressor": (CNNRegressor((2,), **FIRST, **QUICK), SERIES, NUMBERS),
    "cnn autoencoder": (
        CNNAutoencoder((2, 2), code_size=2, channels="first", **QUICK),
        PIXELS,
        None,
    ),
    "series": (rnn(channels="first", readout="mean"), SERIES, LABELS),
    "unequal": (RNNRegressor(4, channels="first", **QUICK), UNEQUAL, NUMBERS),
    "words": (rnn(analyzer="word", max_vocabulary=2, cell="lstm"), TEXTS, LABELS),
    "tokens": (rnn(tokens=True, vocabulary=[1, 3]), TOKENS, LABELS),
    "steps": (rnn(return_sequences=True, channels="first"), UNEQUAL, STEPS),
    "Quantized": (Quantized(mlp(), 7, calibration="mse"), ROWS, LABELS),
    "Quantized words": (Quantized(rnn(analyzer="word"), 4), TEXTS, LABELS),
    "Pruned": (Pruned(mlp(), 0.5, fine_tune_epochs=1), ROWS, LABELS),
    "Sliced": (Sliced(mlp(), 0.5, fine_tune_epochs=1), ROWS, LABELS),
    "NetworkFeatures": (NetworkFeatures(mlp(), layer="hidden.0"), ROWS, LABELS),
    "FineTuned": (FineTuned(mlp(), FrozenEstimator(PRETRAINED)), ROWS, LABELS),
    "FederatedClassifier": (
        FederatedClassifier(mlp(), rounds=2, clients=3, random_state=0),
        ROWS,
        LABELS,
    ),
    "FederatedRegressor": (
        FederatedRegressor(
            make_pipeline(StandardScaler(), MLPRegressor((4,), normalization="batch")),
            rounds=2,
            clients=3,
            batch_norm="local",
            random_state=0,
        ),
        ROWS,
        NUMBERS,
    ),
    "ChunkedFit": (ChunkedFit(mlp(), validation_rows=5), ROWS, LABELS),
    "MultiTask": (MultiTask(mlp()), ROWS, SEVERAL),
    "SemiSupervised": (SemiSupervised(mlp(), guard=None), ROWS, LABELS),
    "ValidationHoldout": (
        ValidationHoldout(make_pipeline(StandardScaler(), mlp(early_stopping=True))),
        ROWS,
        LABELS,
    ),
    "LearningRateFinder": (LearningRateFinder(mlp()), ROWS, LABELS),
}
# Their outputs are told by no file: they predict nothing.
NO_FILE = {"LearningRateFinder"}
METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
)


@pytest.fixture(scope="module")
def fitted():
    """Fitted copies by name; a test takes a copy of its own."""
    models = {}

    def get(name):
        if name not in models:
            model, X, y = CASES[name]
            models[name] = model.fit(X, y)
        return copy.deepcopy(models[name])

    return get


def outputs(model, X, y):
    found = {name: getattr(model, name)(X) for name in METHODS if hasattr(model, name)}
    if hasattr(model, "score"):
        found["score"] = model.score(X, y)
    if hasattr(model, "inverse_transform"):
        found["inverse_transform"] = model.inverse_transform(found["transform"])
    return found


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):  # of several tasks
            assert_same(found[name], value)
        elif np.ndim(value) == 1 and isinstance(value[0], np.ndarray):  # steps of rows
            assert_array_equal(np.concatenate(found[name]), np.concatenate(value))
        else:
            assert_array_equal(found[name], value)


def parameters(model):
    """Every parameter, those of a network inside among them."""
    names = model.get_params(deep=False)
    inner = [n for n in names if isinstance(names[n], BaseEstimator)]
    deep = [
        f"{outer}__{name}"
        for outer in inner
        if isinstance(names[outer], TracksSubclasses)
        for name in names[outer].get_params(deep=False)
    ]
    return [*(name for name in names if name not in inner), *deep]


class Unknown:
    """A value that no parameter may have."""


@pytest.mark.slow  # tells which parameter, where the test below fails
@pytest.mark.parametrize(
    ("case", "parameter"),
    [(case, name) for case in CASES for name in parameters(CASES[case][0])],
)
def test_a_parameter_set_after_fit_changes_no_output(case, parameter, fitted):
    _, X, y = CASES[case]
    model = fitted(case)
    expected = outputs(model, X, y)
    model.set_params(**{parameter: Unknown()})
    assert_same(outputs(model, X, y), expected)


@pytest.mark.parametrize("case", CASES)
def test_parameters_set_after_fit_change_no_output_pickle_or_file(case, fitted):
    _, X, y = CASES[case]
    model = fitted(case)
    expected = outputs(model, X, y)
    file = None if case in NO_FILE else to_onnx(model, X).to_bytes()
    for network in (model, getattr(model, "estimator_", None)):
        if isinstance(network, TracksSubclasses):
            network.set_params(**dict.fromkeys(parameters(network), Unknown()))
    assert_same(outputs(model, X, y), expected)
    assert_same(outputs(pickle.loads(pickle.dumps(model)), X, y), expected)
    assert_same(outputs(copy.deepcopy(model), X, y), expected)
    assert file is None or to_onnx(model, X).to_bytes() == file


@pytest.mark.parametrize("case", CASES)
def test_a_skops_file_asks_for_listed_types_only_and_predicts_the_same_bits(
    case, fitted
):
    _, X, y = CASES[case]
    model = fitted(case)
    file = skops.io.dumps(model)
    own = {f"{Net.__module__}.Net"} if "module" in case else set()
    listed = sklearn_deep.SKOPS_TRUSTED_TYPES
    assert own <= set(skops.io.get_untrusted_types(data=file)) <= {*listed, *own}
    loaded = skops.io.loads(file, trusted=[*listed, *own])
    assert_same(outputs(loaded, X, y), outputs(model, X, y))


def test_every_public_estimator_is_among_the_cases():
    learning = {
        name
        for name in sklearn_deep.__all__
        if isinstance(getattr(sklearn_deep, name), type)
        and issubclass(getattr(sklearn_deep, name), BaseEstimator)
        and not issubclass(
            getattr(sklearn_deep, name), (OnnxEstimator, sklearn_deep.Augmentation)
        )
    }
    assert learning == {type(model).__name__ for model, *_ in CASES.values()}


def test_lengths_of_padded_rows_are_read_as_in_fit():
    lengths = np.arange(24) % 5 + 1
    model = rnn(channels="first").fit(SERIES, LABELS, lengths=lengths)
    expected = model.predict_proba(SERIES, lengths=lengths)
    model.set_params(channels="last")
    assert_array_equal(model.predict_proba(SERIES, lengths=lengths), expected)
    assert_allclose(
        model.score(SERIES, LABELS, lengths=lengths),
        model.score([x[:, :n] for x, n in zip(SERIES, lengths, strict=True)], LABELS),
    )


def test_the_next_fit_takes_the_new_values():
    model = rnn(analyzer="char").fit(TEXTS, LABELS)
    assert " " in model.vocabulary_
    assert " " not in model.set_params(analyzer="word").fit(TEXTS, LABELS).vocabulary_
    series = rnn(channels="first").fit(SERIES, LABELS)
    series.set_params(channels="last").fit(SERIES.transpose(0, 2, 1), LABELS)
    assert_array_equal(
        series.predict_proba(SERIES.transpose(0, 2, 1)),
        rnn()
        .fit(SERIES.transpose(0, 2, 1), LABELS)
        .predict_proba(SERIES.transpose(0, 2, 1)),
    )
