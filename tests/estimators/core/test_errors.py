"""Input that cannot be used: an error that names it, and an estimator left as it was."""

import copy
import datetime
import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.validation import check_is_fitted

from sklearn_deep import (
    GaussianNoise,
    MLPClassifier,
    MLPRegressor,
    SklearnDeepError,
    TrainingDivergedError,
)

N, WIDTH = 24, 3
X = np.random.default_rng(0).normal(size=(N, WIDTH))
CLASSES = np.arange(N) % 2
NUMBERS = X[:, 0] + 1
LABELS = np.stack([CLASSES, CLASSES[::-1]], 1)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


# The defaults are tuned for real data; what is tested here does not hang on them.
PLAIN = {
    "dropout": 0.0,
    "learning_rate_schedule": "constant",
    "weight_decay": 0.0,
    "max_epochs": 2,
    "random_state": 0,
}


def classifier(**params):
    return MLPClassifier(**{"hidden_layer_sizes": (4,), **PLAIN, **params})


def regressor(**params):
    return MLPRegressor(**{"hidden_layer_sizes": (4,), **PLAIN, **params})


def changed(value, array=X, where=(3, 1)):
    array = array.copy()
    array[where] = value
    return array


WEIGHT = np.ones(N)
AT = (5,)

# What is passed to fit, the estimator, and words of the error.
BAD_FIT = {
    "NaN in X": (classifier(), {"X": changed(np.nan)}, "X contains NaN"),
    "inf in X": (classifier(), {"X": changed(np.inf)}, "X contains infinity"),
    "-inf in X": (regressor(), {"X": changed(-np.inf)}, "X contains infinity"),
    "NaN in a sparse X": (
        classifier(),
        {"X": sp.csr_array(changed(np.nan))},
        "contains NaN",
    ),
    "missing value in a frame": (
        classifier(),
        {"X": FRAME.assign(a=pd.array([None, *range(N - 1)], dtype="Int64"))},
        "X contains NaN",
    ),
    "float32 overflow in X": (
        classifier(dtype="float32"),
        {"X": changed(1e300)},
        "too large for dtype('float32')",
    ),
    "float32 overflow in a sparse X": (
        classifier(dtype="float32"),
        {"X": sp.csr_array(changed(1e300))},
        "too large for dtype('float32')",
    ),
    "complex X": (classifier(), {"X": X + 1j}, "Complex data not supported"),
    "words in an object X": (
        classifier(),
        {"X": changed("red", X.astype(object))},
        "red",
    ),
    "words in a frame": (classifier(), {"X": FRAME.assign(b="red")}, "red"),
    "X of one dimension": (classifier(), {"X": X[:, 0]}, "Expected 2D array"),
    "X of three dimensions": (classifier(), {"X": X[None]}, "dim 3"),
    "no rows": (classifier(), {"X": X[:0], "y": CLASSES[:0]}, "0 sample(s)"),
    "no columns": (classifier(), {"X": X[:, :0]}, "0 feature(s)"),
    "no y": (classifier(), {"y": None}, "requires y to be passed"),
    "too short a y": (
        classifier(),
        {"y": CLASSES[:5]},
        "inconsistent numbers of samples",
    ),
    "a single class": (classifier(), {"y": np.full(N, "yes")}, "got 1 class: 'yes'"),
    "continuous classes": (
        classifier(),
        {"y": NUMBERS},
        "Unknown label type: continuous",
    ),
    "labels of mixed types": (
        classifier(),
        {"y": np.array([1, "a"] * (N // 2), dtype=object)},
        "label type",
    ),
    "NaN among classes": (
        classifier(),
        {"y": changed(np.nan, CLASSES.astype(float), AT)},
        "contains NaN",
    ),
    "complex classes": (
        classifier(),
        {"y": CLASSES + 1j},
        "Complex data not supported",
    ),
    "several columns of several classes": (
        classifier(),
        {"y": np.stack([np.arange(N) % 3] * 2, 1)},
        "MultiOutputClassifier",
    ),
    "NaN in targets": (
        regressor(),
        {"y": changed(np.nan, NUMBERS, AT)},
        "y contains NaN",
    ),
    "inf in targets": (
        regressor(),
        {"y": changed(np.inf, NUMBERS, AT)},
        "y contains infinity",
    ),
    "words as targets": (regressor(), {"y": np.full(N, "tall", object)}, "tall"),
    "complex targets": (regressor(), {"y": NUMBERS + 1j}, "Complex data not supported"),
    "targets of three dimensions": (regressor(), {"y": np.ones((N, 2, 2))}, "dim 3"),
    "negative counts": (regressor(loss="poisson"), {"y": -NUMBERS}, "y >= 0"),
    "counts that are all zero": (
        regressor(loss="poisson"),
        {"y": 0 * NUMBERS},
        "positive mean",
    ),
    "negative weight": (
        classifier(),
        {"sample_weight": changed(-1.0, WEIGHT, AT)},
        "sample_weight must not be negative",
    ),
    "NaN weight": (
        regressor(),
        {"sample_weight": changed(np.nan, WEIGHT, AT)},
        "sample_weight contains NaN",
    ),
    "infinite weight": (
        regressor(),
        {"sample_weight": changed(np.inf, WEIGHT, AT)},
        "sample_weight contains infinity",
    ),
    "weights that are all zero": (
        regressor(),
        {"sample_weight": 0 * WEIGHT},
        "is zero in every",
    ),
    "too few weights": (classifier(), {"sample_weight": WEIGHT[:5]}, f"shape ({N},)"),
    "weights in columns": (
        classifier(),
        {"sample_weight": np.ones((N, 2))},
        f"shape ({N},)",
    ),
    "X_val without y_val": (classifier(), {"X_val": X}, "got only X_val"),
    "y_val without X_val": (classifier(), {"y_val": CLASSES}, "got only y_val"),
    "sample_weight_val alone": (
        classifier(),
        {"sample_weight_val": WEIGHT},
        "without X_val",
    ),
    "NaN in X_val": (
        classifier(),
        {"X_val": changed(np.nan), "y_val": CLASSES},
        "X contains NaN",
    ),
    "X_val of another width": (
        classifier(),
        {"X_val": X[:, :2], "y_val": CLASSES},
        "X has 2 features",
    ),
    "X_val with other names": (
        classifier(),
        {"X": FRAME, "X_val": FRAME[["a", "c", "b"]], "y_val": CLASSES},
        "feature names",
    ),
    "an empty X_val": (
        classifier(),
        {"X_val": X[:0], "y_val": CLASSES[:0]},
        "0 sample(s)",
    ),
    "a new class in y_val": (
        classifier(),
        {"X_val": X, "y_val": CLASSES + 1},
        "y_val holds labels [2] that are not among the classes [0, 1]",
    ),
    "another number of targets in y_val": (
        regressor(),
        {"X_val": X, "y_val": LABELS},
        "y_val has 2 columns",
    ),
    "negative counts in y_val": (
        regressor(loss="poisson"),
        {"y": np.abs(NUMBERS), "X_val": X, "y_val": -np.abs(NUMBERS)},
        "loss='poisson' needs targets y_val >= 0",
    ),
    "negative sample_weight_val": (
        classifier(),
        {"X_val": X, "y_val": CLASSES, "sample_weight_val": -WEIGHT},
        "sample_weight_val must not be negative",
    ),
    "sample_weight_val of zeros": (
        classifier(),
        {"X_val": X, "y_val": CLASSES, "sample_weight_val": 0 * WEIGHT},
        "sample_weight_val is zero",
    ),
    "an empty validation part": (
        classifier(early_stopping=True, validation_fraction=0.01),
        {},
        "no row for validation",
    ),
    "a validation part of all rows": (
        classifier(early_stopping=True, validation_fraction=0.99),
        {},
        "no row to train on",
    ),
    "an unknown activation": (
        classifier(activation="rulu"),
        {},
        "'activation' parameter",
    ),
    "an unknown optimizer": (classifier(optimizer="adamm"), {}, "'adamw'"),
    "an unknown scorer": (classifier(monitor="precise"), {}, "a scorer name"),
    "a loss of the other task": (regressor(loss="log_loss"), {}, "'squared_error'"),
    "a parameter of another loss": (
        classifier(loss_params={"gamma": 1.0}),
        {},
        "'loss_params' parameter of MLPClassifier must be a dict with keys among: none",
    ),
    "a bad parameter of the loss": (
        regressor(loss="quantile", loss_params={"quantile": 1.5}),
        {},
        "loss_params['quantile']",
    ),
    "keys of mixed types": (
        classifier(loss_params={1: 1, "a": 2}),
        {},
        "'loss_params' parameter",
    ),
    "a parameter of another activation": (
        classifier(activation_params={"negative_slope": 0.1}),
        {},
        "'activation_params' parameter",
    ),
    "a parameter of another schedule": (
        classifier(schedule_params={"every": 3}),
        {},
        "'schedule_params' parameter",
    ),
    "an initial range upside down": (
        classifier(weight_init="uniform", weight_init_params={"low": 1, "high": -1}),
        {},
        "weight_init_params",
    ),
    "dropout for another number of layers": (
        classifier(dropout=[0.1, 0.2]),
        {},
        "one number per hidden layer, here 1",
    ),
    "class_weight for an unknown class": (
        classifier(class_weight={7: 2.0}),
        {},
        "class_weight names classes [7] that are not in y, and leaves out [0, 1]",
    ),
    "class_weight with labels of another type": (
        classifier(class_weight={"0": 2.0, "1": 1.0}),
        {},
        "check the spelling and the type of the labels",
    ),
    "a negative weight of a class that y lacks": (
        classifier(class_weight={0: 1.0, 1: 1.0, 2: -1.0}),
        {},
        "class_weight must hold finite numbers >= 0",
    ),
    "a negative class_weight": (classifier(class_weight={1: -1.0}), {}, "class_weight"),
    "a NaN class_weight": (classifier(class_weight={1: np.nan}), {}, "class_weight"),
    "class weights of zeros": (
        classifier(class_weight={0: 0, 1: 0}),
        {},
        "class_weight",
    ),
    "a word as class_weight": (classifier(class_weight={1: "a"}), {}, "class_weight"),
    "class weights for several labels": (
        classifier(class_weight={1: 2.0}),
        {"y": LABELS},
        "Pass sample_weight instead",
    ),
    "a scorer of the other task": (
        regressor(monitor="roc_auc", early_stopping=True),
        {},
        "monitor='roc_auc'",
    ),
    "dates in a frame": (
        classifier(),
        {"X": FRAME.assign(b=pd.date_range("2020", periods=N))},
        "dates or durations in the column 'b' (dtype datetime64",
    ),
    "dates with a time zone": (
        classifier(),
        {"X": FRAME.assign(b=pd.date_range("2020", periods=N, tz="UTC"))},
        "in the column 'b'",
    ),
    "periods in a frame": (
        regressor(),
        {"X": FRAME.assign(c=pd.period_range("2020", periods=N, freq="D"))},
        "in the column 'c'",
    ),
    "durations alone": (
        regressor(),
        {"X": pd.DataFrame({"t": pd.to_timedelta(np.arange(N), unit="D")})},
        "in seconds",
    ),
    "dates in a polars frame": (
        classifier(),
        {"X": pl.DataFrame({"a": X[:, 0], "day": [datetime.date(2020, 1, 1)] * N})},
        "in the column 'day'",
    ),
    "an array of dates": (
        classifier(),
        {"X": np.full((N, 1), np.datetime64("2020-01-01"))},
        "dates or durations (dtype datetime64[D])",
    ),
    "dates among objects": (
        classifier(),
        {"X": FRAME.assign(b=pd.Timestamp("2020")).astype(object)},
        "values that are no numbers",
    ),
    "two columns of one name": (
        classifier(),
        {"X": pd.DataFrame(X, columns=["a", "b", "a"])},
        "more than one column named 'a'",
    ),
    "rows of unequal length": (
        classifier(),
        {"X": [[1.0, 2.0], [1.0]] * (N // 2)},
        "rows of unequal length or shape",
    ),
    "dates as targets": (
        regressor(),
        {"y": np.full(N, np.datetime64("2020-01-01"))},
        "y holds dates or durations",
    ),
    "a bias that is no number of a network": (
        classifier(bias_init=1e300),
        {},
        "'bias_init' parameter",
    ),
    "a slope that overflows": (
        classifier(
            activation="leaky_relu", activation_params={"negative_slope": 1e300}
        ),
        {},
        "activation_params['negative_slope']",
    ),
    "initial weights that overflow": (
        classifier(weight_init="normal", weight_init_params={"std": 1e300}),
        {},
        "weight_init_params['std']",
    ),
    "a huge integer": (classifier(max_epochs=10**400), {}, "an int of 1329 bits"),
    "an array of no dimension": (classifier(dropout=np.array(3)), {}, "Got array(3)"),
    "the class of an augmentation": (
        classifier(augmentation=GaussianNoise),
        {},
        "Got the class GaussianNoise, not an instance of it: GaussianNoise()",
    ),
    "weights that are no numbers": (
        classifier(),
        {"sample_weight": ["a"] * N},
        "sample_weight must have one number per row",
    ),
    "a callback of another library": (
        classifier(callbacks=[print]),
        {},
        "skorch callbacks",
    ),
}

MISSING_LABELS = {
    "None": ["a", None, "b"] * (N // 3),
    "NaN among strings": ["a", np.nan, "b"] * (N // 3),
    "None among integers": [1, None, 0] * (N // 3),
    "pandas.NA": pd.Series(["a", pd.NA, "b"] * (N // 3), dtype="string"),
    "a missing category": pd.Series(["a", None, "b"] * (N // 3), dtype="category"),
    "a missing boolean": pd.Series([True, None, False] * (N // 3), dtype="boolean"),
    "a polars null": pl.Series(["a", None, "b"] * (N // 3)),
    "NaT": pd.Series(pd.to_datetime(["2020", None, "2021"] * (N // 3))),
}


@pytest.mark.parametrize("y", MISSING_LABELS.values(), ids=list(MISSING_LABELS))
@pytest.mark.parametrize("name", ["y", "y_val"])
def test_the_first_missing_label_is_named(y, name):
    given = {"y": y} if name == "y" else {"y": CLASSES, "X_val": X, "y_val": y}
    with pytest.raises(
        ValueError, match=rf"{name}\[1\] of MLPClassifier is missing \(.*and so are 7"
    ):
        classifier().fit(X, **given)


@pytest.mark.parametrize("cell", [None, np.nan, pd.NA])
def test_a_missing_label_among_several_is_named_with_its_column(cell):
    y = LABELS.astype(object)
    y[3, 1] = cell
    with pytest.raises(ValueError, match=r"y\[3\]\[1\] of MLPClassifier is missing"):
        classifier().fit(X, y)


def test_dates_may_be_labels():
    days = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
    network = classifier(max_epochs=1).fit(X, days[CLASSES])
    assert_array_equal(network.classes_, days)


def test_a_network_that_does_not_fit_into_memory_is_a_memory_error_that_counts():
    with pytest.raises(MemoryError, match=r"a network of 5e\+17 parameters"):
        classifier(hidden_layer_sizes=(10**17,)).fit(X, CLASSES)


def arguments(estimator, given):
    y = CLASSES if isinstance(estimator, MLPClassifier) else NUMBERS
    return {"X": X, "y": y, **given}


each_bad_fit = pytest.mark.parametrize(
    ("estimator", "given", "words"), BAD_FIT.values(), ids=list(BAD_FIT)
)


@each_bad_fit
def test_fit_names_what_it_cannot_use(estimator, given, words):
    with pytest.raises((ValueError, TypeError)) as caught:
        clone(estimator).fit(**arguments(estimator, given))
    assert words in str(caught.value)


@each_bad_fit
def test_a_failed_fit_leaves_an_unfitted_estimator_unfitted(estimator, given, words):
    fresh = clone(estimator)
    before = dict(vars(fresh))
    with pytest.raises((ValueError, TypeError)):
        fresh.fit(**arguments(estimator, given))
    assert vars(fresh) == before
    with pytest.raises(NotFittedError):
        fresh.predict(X)


BAD_ARRAYS = {
    name: (given, words)
    for name, (_, given, words) in BAD_FIT.items()
    if given and "y" not in given and not isinstance(given.get("X"), pd.DataFrame)
}


@pytest.mark.parametrize(("given", "words"), BAD_ARRAYS.values(), ids=list(BAD_ARRAYS))
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_failed_fit_keeps_the_network_of_the_last_one(given, words, warm_start):
    network = classifier(dtype="float32", warm_start=warm_start).fit(X, CLASSES)
    before, p = dict(vars(network)), network.predict_proba(X)
    with pytest.raises((ValueError, TypeError)):
        network.fit(**arguments(network, given))
    assert vars(network).keys() == before.keys()
    assert all(vars(network)[name] is value for name, value in before.items())
    assert_array_equal(network.predict_proba(X), p)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"'cuda'.*There is: 'cpu'"):
        classifier(device="cuda").fit(X, CLASSES)


# Prediction

BAD_PREDICT = {
    "NaN": (changed(np.nan), "X contains NaN"),
    "inf": (changed(np.inf), "X contains infinity"),
    "float32 overflow": (changed(1e300), "too large for dtype('float32')"),
    "overflow in a sparse matrix": (sp.csr_array(changed(1e300)), "too large for"),
    "another width": (X[:, :2], "X has 2 features, but MLP"),
    "no rows": (X[:0], "0 sample(s)"),
    "one dimension": (X[0], "Expected 2D array"),
    "complex numbers": (X + 1j, "Complex data not supported"),
    "words": (FRAME.assign(b="red").to_numpy(), "red"),
    "dates": (np.full((2, WIDTH), np.datetime64("2020-01-01")), "dates or durations"),
    "rows of unequal length": ([[1.0, 2.0, 3.0], [1.0]], "rows of unequal length"),
    "two columns of one name": (FRAME.set_axis(["a", "b", "a"], axis=1), "named 'a'"),
}


@pytest.mark.parametrize(("bad", "words"), BAD_PREDICT.values(), ids=list(BAD_PREDICT))
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_prediction_names_what_it_cannot_use(bad, words, method):
    network = classifier(dtype="float32").fit(X, CLASSES)
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(network, method)(bad)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "frame",
    [FRAME[["a", "c", "b"]], FRAME.rename(columns={"a": "z"})],
    ids=["order", "names"],
)
def test_other_feature_names_are_refused_at_prediction(frame):
    network = classifier().fit(FRAME, CLASSES)
    with pytest.raises(ValueError, match="feature names should match"):
        network.predict(frame)


def test_an_array_for_a_network_fitted_on_names_warns_as_scikit_learn_does():
    network = classifier().fit(FRAME, CLASSES)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        network.predict(X)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_nothing_is_predicted_before_a_fit(make):
    network = make()
    methods = ["predict", "score"]
    if make is classifier:
        methods += ["predict_proba", "predict_log_proba", "decision_function"]
    for method in methods:
        given = (X, CLASSES) if method == "score" else (X,)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(network, method)(*given)


@pytest.mark.parametrize("name", ["history_", "net_", "classes_", "module_", "n_iter_"])
def test_fitted_attributes_are_missing_before_a_fit(name):
    assert not hasattr(classifier(), name)


def test_a_standard_deviation_is_refused_where_none_was_learnt():
    with pytest.raises(ValueError, match="fitted with loss='squared_error'"):
        regressor().fit(X, NUMBERS).predict(X, return_std=True)


# Any place, any bad value, any container, any call


def _in_fit(network, bad, y):
    network.fit(bad, y)


def _in_validation(network, bad, y):
    network.fit(X, y, X_val=bad, y_val=y)


def _in_predict(network, bad, y):
    network.fit(X, y).predict(bad)


def _in_partial_fit(network, bad, y):
    network.partial_fit(X, y).partial_fit(bad, y)


@settings(max_examples=60, deadline=None)
@given(
    row=st.integers(0, N - 1),
    column=st.integers(0, WIDTH - 1),
    value=st.sampled_from([np.nan, np.inf, -np.inf, 1e39, -1e300]),
    container=st.sampled_from(
        [np.asarray, sp.csr_array, sp.csc_array, pd.DataFrame, np.ndarray.tolist]
    ),
    call=st.sampled_from([_in_fit, _in_validation, _in_predict, _in_partial_fit]),
    make=st.sampled_from([classifier, regressor]),
)
def test_one_bad_value_anywhere_is_an_error_that_says_which_kind(
    row, column, value, container, call, make
):
    network = make(dtype="float32", max_epochs=1)
    y = CLASSES if make is classifier else NUMBERS
    kind = "NaN" if np.isnan(value) else "infinity or a value too large for dtype"
    with pytest.raises(ValueError, match=kind):
        call(network, container(changed(value, where=(row, column))), y)


def finite_or_refused(network, rows):
    try:
        predicted = getattr(network, "predict_proba", network.predict)(rows)
    except ValueError as error:
        return "X" in str(error)
    return np.isfinite(predicted).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        min_size=WIDTH,
        max_size=WIDTH,
    ),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([classifier, regressor]),
)
def test_finite_rows_are_predicted_finitely_or_refused(row, dtype, make):
    y = CLASSES if make is classifier else NUMBERS
    assert finite_or_refused(make(dtype=dtype, max_epochs=1).fit(X, y), [row])


@pytest.mark.parametrize(("dtype", "large"), [("float32", 3e38), ("float64", 1.7e308)])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_rows_that_overflow_inside_the_network_are_refused_not_predicted_as_nan(
    dtype, large, make
):
    y = CLASSES if make is classifier else NUMBERS
    network = make(dtype=dtype).fit(X, y)
    rows = [[large, -large, large], [-large, large, large]]
    assert finite_or_refused(network, rows)


@settings(max_examples=30, deadline=None)
@given(
    scale=st.floats(-300, 300).map(lambda power: 10.0**power),
    shift=st.floats(-300, 300).map(lambda power: 10.0**power),
)
def test_targets_of_any_magnitude_are_learnt_without_nan(scale, shift):
    y = NUMBERS * scale + shift
    predicted = regressor(max_epochs=1).fit(X, y).predict(X)
    assert np.isfinite(predicted).all()


def test_predictions_that_overflow_in_the_units_of_y_are_refused():
    counts = np.abs(NUMBERS)
    network = regressor(loss="poisson", max_epochs=1).fit(X, counts)
    rows = 1e5 * X
    assert network._raw(rows).max() > 1e3  # and its exponential is infinite
    with pytest.raises(ValueError, match=r"overflow float64 in the units of y"):
        network.predict(rows)

    top = np.finfo(np.float32).max
    y = np.where(NUMBERS > 0, top, -top).astype(np.float32)
    network = regressor(max_epochs=1).fit(X.astype(np.float32), y)
    with pytest.raises(ValueError, match=r"overflow float32 in the units of y"):
        network.predict(1e4 * X.astype(np.float32))


# Going on

GOING_ON = {
    "another width": (X[:, :2], CLASSES, "X has 2 features"),
    "a new class": (X, CLASSES + 1, "labels [2] that are not among the classes [0, 1]"),
    "several labels": (X, LABELS, "shape"),
}


@pytest.mark.parametrize(("bad", "y", "words"), GOING_ON.values(), ids=list(GOING_ON))
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_other_data_is_refused(bad, y, words, method):
    network = classifier(warm_start=True).fit(X, CLASSES)
    p = network.predict_proba(X)
    with pytest.raises(ValueError, match=re.escape(words)):
        getattr(network, method)(bad, y)
    assert_array_equal(network.predict_proba(X), p)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "change", [{"hidden_layer_sizes": (5,)}, {"activation": "tanh"}, {"dropout": 0.5}]
)
def test_going_on_with_another_architecture_is_refused_by_name(method, change):
    network = classifier(warm_start=True).fit(X, CLASSES).set_params(**change)
    with pytest.raises(ValueError, match=f"{next(iter(change))}.* changed since"):
        getattr(network, method)(X, CLASSES)


def test_going_on_with_another_number_of_targets_is_refused():
    network = regressor().partial_fit(X, NUMBERS)
    with pytest.raises(ValueError, match="2 columns"):
        network.partial_fit(X, np.stack([NUMBERS, NUMBERS], 1))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("first", "then"), [("poisson", "squared_error"), ("huber", "poisson")]
)
def test_going_on_with_a_loss_of_other_targets_is_refused(first, then, method):
    y = np.abs(NUMBERS)
    network = regressor(warm_start=True, loss=first).fit(X, y).set_params(loss=then)
    with pytest.raises(ValueError, match=f"cannot go on training with loss='{then}'"):
        getattr(network, method)(X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_negative_counts_is_refused(method):
    counts = np.abs(NUMBERS)
    network = regressor(loss="poisson", warm_start=True).fit(X, counts)
    with pytest.raises(ValueError, match="loss='poisson' needs targets y >= 0"):
        getattr(network, method)(X, counts - counts.mean())


def test_partial_fit_refuses_a_label_that_is_not_among_the_classes():
    with pytest.raises(ValueError, match=r"labels \[1\] that are not among"):
        classifier().partial_fit(X, CLASSES, classes=[0, 2])


@pytest.mark.parametrize("classes", [None, [1], [1, 1]])
def test_partial_fit_refuses_to_begin_with_a_single_class(classes):
    network = classifier()
    with pytest.raises(ValueError, match="at least 2 classes in its first call"):
        network.partial_fit(X, np.ones(N, int), classes=classes)
    assert not hasattr(network, "module_")


def test_partial_fit_refuses_other_classes_than_in_the_first_call():
    network = classifier().partial_fit(X, CLASSES, classes=[0, 1])
    network.partial_fit(X, CLASSES, classes=[1, 0])
    with pytest.raises(ValueError, match="classes"):
        network.partial_fit(X, CLASSES, classes=[1, 2])


# Divergence

DIVERGING = {"optimizer": "sgd", "learning_rate": 1e30, "max_epochs": 50}


@pytest.fixture
def diverged():
    with pytest.raises(TrainingDivergedError) as caught:
        regressor(**DIVERGING).fit(X, NUMBERS)
    return caught.value


def test_divergence_tells_the_epoch_the_learning_rate_and_the_mend(diverged):
    assert isinstance(diverged, (SklearnDeepError, ArithmeticError))
    assert 1 <= diverged.epoch <= 50
    assert diverged.learning_rate == 1e30
    for words in (
        "MLPRegressor",
        f"epoch {diverged.epoch}",
        "1e+30",
        "learning_rate='auto'",
    ):
        assert words in str(diverged)


@pytest.mark.parametrize("backend", ["sequential", "stacked"])
def test_weights_that_overflow_are_divergence_where_the_loss_is_still_finite(backend):
    network = regressor(
        optimizer="sgd", learning_rate=1e305, l2=1e10, max_epochs=1, batch_size=64
    )
    with joblib.parallel_config(backend=backend):
        with pytest.raises(TrainingDivergedError, match="epoch 1"):
            cross_val_score(network, X, NUMBERS, cv=3, error_score="raise")


def test_divergence_reports_the_rate_that_the_schedule_had_reached():
    network = regressor(
        optimizer="sgd",
        learning_rate=1e30,
        learning_rate_schedule="step",
        schedule_params={"every": 1, "factor": 0.1},
        max_epochs=50,
    )
    with pytest.raises(TrainingDivergedError) as caught:
        network.fit(X, NUMBERS)
    error = caught.value
    assert error.learning_rate == pytest.approx(1e30 * 0.1 ** (error.epoch - 1))


@pytest.mark.parametrize("copier", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_divergence_error_survives_pickling(diverged, copier):
    back = copier(diverged)
    assert type(back) is TrainingDivergedError
    assert (str(back), back.epoch, back.learning_rate) == (
        str(diverged),
        diverged.epoch,
        diverged.learning_rate,
    )


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"batch_size": 5}])
def test_divergence_leaves_no_fitted_state(params):
    network = regressor(**DIVERGING, **params)
    before = dict(vars(network))
    with pytest.raises(TrainingDivergedError):
        network.fit(X, NUMBERS)
    assert vars(network) == before
    with pytest.raises(NotFittedError):
        check_is_fitted(network)


# Calls of partial_fit whose loss is finite yet are warned of.
@pytest.mark.filterwarnings("ignore::sklearn_deep.exceptions.TrainingWarning")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_divergence_keeps_the_network_that_was_there(method):
    network = regressor(warm_start=True).fit(X, NUMBERS)
    before = network.predict(X)
    network.set_params(**DIVERGING)
    calls = 1 if method == "fit" else 50
    with pytest.raises(TrainingDivergedError):
        [getattr(network, method)(X * 1e10, NUMBERS) for _ in range(calls)]
    if method == "fit":
        assert_array_equal(network.predict(X), before)
    assert all(torch.isfinite(p).all() for p in network.module_.parameters())


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_scores_a_diverging_candidate_nan_and_goes_on(n_jobs):
    search = GridSearchCV(
        regressor(optimizer="sgd", max_epochs=20),
        {"learning_rate": [1e-3, 1e30]},
        cv=2,
        n_jobs=n_jobs,
    )
    with (
        pytest.warns(FitFailedWarning, match="TrainingDivergedError"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, NUMBERS)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    assert search.best_params_ == {"learning_rate": 1e-3}


def test_lbfgs_reports_divergence_as_well():
    network = regressor(optimizer="lbfgs")
    with pytest.raises(TrainingDivergedError):
        network.fit(X * 1e200, NUMBERS)
