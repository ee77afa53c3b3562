"""Many rows are predicted in pieces, whose outputs are those of all rows at once."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.multioutput import MultiOutputClassifier

from sklearn_deep import (
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    OnnxRegressor,
    OnnxTransformer,
    RNNClassifier,
    to_onnx,
)
from sklearn_deep.serving import _session

RNG = np.random.default_rng(0)
N_ROWS = 2_500  # two whole pieces and a part of one
X = RNG.normal(size=(N_ROWS, 6))
Y = (X[:, 0] > 0).astype(int)
QUICK = {"max_epochs": 1, "random_state": 0}


def opened(reader, model, rows):
    return reader(to_onnx(model, rows[:20]).to_bytes())


@pytest.mark.parametrize("n_rows", [1, 1023, 1024, 1025, N_ROWS])
def test_classes_and_probabilities_are_those_of_the_estimator(n_rows):
    model = MLPClassifier((8,), **QUICK).fit(X[:100], Y[:100])
    file = opened(OnnxClassifier, model, X)
    rows = X[:n_rows]
    assert_array_equal(file.predict(rows), model.predict(rows))
    assert_allclose(file.predict_proba(rows), model.predict_proba(rows), rtol=1e-9)


def test_frames_series_and_several_targets_are_joined():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = MLPRegressor((8,), **QUICK).fit(frame[:100], X[:100, :2])
    file = opened(OnnxRegressor, model, frame)
    assert_allclose(file.predict(frame), model.predict(frame), rtol=1e-9)
    series = X.reshape(N_ROWS, 6, 1)
    model = CNNClassifier((2,), spatial_dims=1, **QUICK).fit(series[:100], Y[:100])
    file = opened(OnnxClassifier, model, series)
    expected = model.predict_proba(series)
    assert_allclose(file.predict_proba(series), expected, atol=1e-5)
    several = MultiOutputClassifier(MLPClassifier((4,), **QUICK))
    several.fit(X[:100], np.column_stack([Y, 1 - Y])[:100])
    file = opened(OnnxClassifier, several, X)
    for got, expected in zip(
        file.predict_proba(X), several.predict_proba(X), strict=True
    ):
        assert_allclose(got, expected, rtol=1e-9)
    coder = MLPAutoencoder((4,), code_size=2, **QUICK).fit(X[:100])
    file = opened(OnnxTransformer, coder, X)
    assert_allclose(file.transform(X), coder.transform(X), rtol=1e-9)


def test_texts_and_steps_of_unequal_length_are_predicted(monkeypatch):
    monkeypatch.setattr(_session, "_PIECE", 4)
    texts = ["ab", "b", "abba", "", "a", "bb"] * 3
    model = RNNClassifier(4, analyzer="char", **QUICK).fit(texts, np.arange(18) % 2)
    file = opened(OnnxClassifier, model, texts)
    expected = model.predict_proba(texts)
    assert_allclose(file.predict_proba(texts), expected, atol=1e-6)
    steps = [RNG.normal(size=(n, 1)) for n in [3, 1, 5, 2, 4, 1] * 2]
    labels = [np.arange(len(rows)) % 2 for rows in steps]
    model = RNNClassifier(4, return_sequences=True, **QUICK).fit(steps, labels)
    file = opened(OnnxClassifier, model, steps)
    for got, expected in zip(file.predict(steps), model.predict(steps), strict=True):
        assert_array_equal(got, expected)


def test_a_refused_row_in_a_later_piece_is_refused(monkeypatch):
    model = MLPClassifier((8,), **QUICK).fit(X[:100], Y[:100])
    file = opened(OnnxClassifier, model, X)
    rows = X.copy()
    rows[2_000, 0] = np.nan
    with pytest.raises(ValueError, match=r"2000|NaN"):
        file.predict_proba(rows)
