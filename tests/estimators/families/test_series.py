"""Convolutional networks on series of unequal length: padding changes no prediction."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    OnnxClassifier,
    OnnxRegressor,
    RNNClassifier,
    stacking_report,
    to_onnx,
)
from sklearn_deep.nn._cnn import ARCHITECTURES

rng = np.random.default_rng(0)
LENGTHS = rng.integers(6, 20, 40)
Y = np.arange(40) % 2
ROWS = [rng.normal(size=(n, 2)) + Y[i] for i, n in enumerate(LENGTHS)]
CHANNELS = {"inception_time": (3,) * 3}


def network(architecture="fcn", cls=CNNClassifier, **params):
    """A small network of an architecture."""
    return cls(
        CHANNELS.get(architecture, (6, 6)),
        architecture=architecture,
        **{"max_epochs": 3, "learning_rate": 0.01, "random_state": 0, **params},
    )


def padded(rows, value=7.0):
    """An array filled up with what must not matter."""
    out = np.full((len(rows), max(map(len, rows)), rows[0].shape[1]), value)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def alone(net, row):
    """What the layers of a network give for one series, which nothing is filled up in."""
    x = torch.from_numpy(row.T[None])  # channels in front
    with torch.inference_mode():
        for name, stage in net.module_.stages():
            x = x if name == "arrange" else stage(x)
    return x.numpy().ravel()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("normalization", ["batch", "layer", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_series_is_predicted_as_plain_torch_predicts_it_alone(
    architecture, normalization, dtype
):
    rows = [row.astype(dtype) for row in ROWS]
    net = network(architecture, normalization=normalization, dtype=dtype)
    net.fit(rows, Y)
    raw = net.decision_function(rows)
    for row, found in zip(rows, raw, strict=True):
        np.testing.assert_allclose(found, alone(net, row), rtol=1e-4, atol=1e-5)
    order = rng.permutation(len(rows))
    again = net.decision_function([rows[i] for i in order])
    np.testing.assert_allclose(again, raw[order], rtol=1e-4, atol=1e-6)


CONTAINERS = {
    "list": list,
    "object array": lambda rows: np.array([*rows, None], object)[:-1],
    "column": lambda rows: pd.DataFrame({"series": list(rows)}),
    "series": lambda rows: pd.Series(list(rows)),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_any_container_of_the_series_gives_the_same_network(name):
    expected = network().fit(ROWS, Y).predict_proba(ROWS)
    X = CONTAINERS[name](ROWS)
    np.testing.assert_array_equal(network().fit(X, Y).predict_proba(X), expected)


def test_padded_rows_with_their_lengths_are_the_series():
    expected = network().fit(ROWS, Y)
    X = padded(ROWS)
    net = network().fit(X, Y, lengths=LENGTHS)
    np.testing.assert_array_equal(
        net.predict_proba(X, lengths=LENGTHS), expected.predict_proba(ROWS)
    )
    assert net.score(X, Y, lengths=LENGTHS) == expected.score(ROWS, Y)
    validated = network(early_stopping=True).fit(
        X, Y, X_val=X, y_val=Y, lengths=LENGTHS, lengths_val=LENGTHS
    )
    assert validated.history_["valid_loss"].notna().all()


def test_channels_first_are_the_same_series():
    expected = network().fit(ROWS, Y).predict_proba(ROWS)
    rows = [row.T for row in ROWS]
    net = network(channels="first").fit(rows, Y)
    np.testing.assert_allclose(net.predict_proba(rows), expected, rtol=1e-6)


def test_series_of_one_length_in_a_list_are_an_array():
    X = rng.normal(size=(40, 9, 2))
    expected = network(spatial_dims=1).fit(X, Y).predict_proba(X)
    net = network(spatial_dims=1).fit(list(X), Y)
    np.testing.assert_allclose(net.predict_proba(list(X)), expected, rtol=1e-6)


def test_a_network_fitted_on_one_length_predicts_others():
    X = rng.normal(size=(40, 9, 2))
    net = network(spatial_dims=1, dtype="float64").fit(X, Y)
    found = net.decision_function(ROWS[:5])
    for row, one in zip(ROWS, found, strict=False):
        np.testing.assert_allclose(one, alone(net, row), rtol=1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_stacks_train_the_networks_of_fits_alone(architecture, stacks_convolutions):
    small = architecture in ("plain", "fcn")  # small enough to gain
    rates = [1e-3, 1e-2, 3e-2] if small else [1e-2]
    grid = {"learning_rate": rates, "dropout": [0.0, 0.3]}
    net = network(architecture, batch_size=8, max_epochs=2, dtype="float64")
    alone = GridSearchCV(net, grid, cv=2, refit=False).fit(ROWS, Y)
    with joblib.parallel_config(backend="stacked"):
        stacked = clone(alone).fit(ROWS, Y)
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    if small:
        assert sum(stacking_report().stacks) == 12


def test_stacks_judge_validation_rows_as_fits_alone_do(stacks_convolutions):
    grid = {"learning_rate": [1e-3, 1e-2, 3e-2], "dropout": [0.0, 0.3]}
    net = network("plain", batch_size=8, early_stopping=True, dtype="float64")
    alone = GridSearchCV(net, grid, cv=2, refit=False).fit(ROWS, Y)
    with joblib.parallel_config(backend="stacked"):
        stacked = clone(alone).set_params(error_score="raise").fit(ROWS, Y)
    np.testing.assert_allclose(
        stacked.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert sum(stacking_report().stacks) == 12


def test_regression_weights_and_pickles():
    net = network(cls=CNNRegressor).fit(ROWS, LENGTHS * 1.0, np.linspace(0, 1, 40))
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict(ROWS), net.predict(ROWS))


@pytest.mark.parametrize("cls", [CNNClassifier, CNNRegressor])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_file_predicts_padded_rows_as_the_estimator_predicts_series(
    architecture, cls, tmp_path
):
    targets = Y if cls is CNNClassifier else LENGTHS * 0.1
    net = network(architecture, cls=cls).fit(ROWS, targets)
    file = tmp_path / "series.onnx"
    to_onnx(net, ROWS, file)
    if cls is CNNRegressor:
        found = OnnxRegressor(file).predict(ROWS)
        np.testing.assert_allclose(found, net.predict(ROWS), rtol=1e-4, atol=1e-5)
    else:
        found = OnnxClassifier(file).predict_proba(ROWS)
        np.testing.assert_allclose(found, net.predict_proba(ROWS), atol=1e-5)


def test_the_file_reads_lengths_and_not_the_padding(tmp_path):
    import onnxruntime

    net = network().fit([row.astype("float32") for row in ROWS], Y)
    file = tmp_path / "series.onnx"
    to_onnx(net, [row.astype("float32") for row in ROWS], file)
    session = onnxruntime.InferenceSession(file)
    assert {each.name for each in session.get_inputs()} == {"X", "lengths"}
    expected = net.predict_proba([row.astype("float32") for row in ROWS])
    for value in (0.0, 7.0):
        X = padded(ROWS, value).astype("float32")
        found = session.run(None, {"X": X, "lengths": LENGTHS.astype(np.int64)})
        np.testing.assert_allclose(found[1], expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_series_shorter_than_every_kernel_have_finite_predictions(architecture):
    net = network(architecture, dtype="float64").fit(ROWS, Y)
    short = [np.ones((1, 2)), np.empty((0, 2)), np.ones((2, 2))]
    together = net.decision_function([*short, *ROWS])[:3]
    alone = np.ravel([net.decision_function([row]) for row in short])
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_a_network_without_global_pooling_says_what_to_do():
    net = network("plain", global_pooling=None)
    with pytest.raises(ValueError, match="Set global_pooling='average'"):
        net.fit(ROWS, Y)
    net = network("plain", global_pooling=None, spatial_dims=1)
    net.fit(rng.normal(size=(40, 9, 2)), Y)
    with pytest.raises(ValueError, match="Set global_pooling='average'"):
        net.predict(ROWS)


def test_images_of_unequal_size_and_another_number_of_channels_are_refused():
    images = [rng.normal(size=(5 + i % 2, 6, 1)) for i in range(20)]
    with pytest.raises(ValueError, match="images of one size"):
        network("plain").fit(images, Y[:20])
    net = network().fit(ROWS, Y)
    with pytest.raises(ValueError, match="channels"):
        net.predict([np.ones((4, 3)), np.ones((5, 3))])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_to_refuse_is_named_with_its_series(value):
    rows = [row.copy() for row in ROWS]
    rows[3][2, 1] = value
    messages = []
    for net in (network(), RNNClassifier(4, max_epochs=1, dtype="float32")):
        with pytest.raises(ValueError, match="3") as error:
            net.fit(rows, Y)
        messages.append(str(error.value).partition("Classifier")[2])
    assert messages[0] == messages[1]
