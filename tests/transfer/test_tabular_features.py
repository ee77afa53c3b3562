"""Features of an ensemble for tables: the layers of all its networks, side by side."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_deep import (
    LearningRateFinder,
    NetworkFeatures,
    OnnxTransformer,
    TabularClassifier,
    to_onnx,
)

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": np.where(np.arange(90) % 7, RNG.normal(size=90), np.nan),
        "town": RNG.choice(["Bonn", "Ulm", "Trier"], 90),
        "shop": [f"s{i % 11}" for i in range(90)],
    }
)
LABELS = (FRAME["size"].fillna(0) > 0).to_numpy() ^ (FRAME["town"] == "Ulm").to_numpy()


def network(max_epochs=2):
    return TabularClassifier(
        (8, 6), n_networks=3, max_epochs=max_epochs, random_state=0
    )


def test_the_embedding_is_the_last_hidden_layer_of_every_network():
    features = NetworkFeatures(network()).fit(FRAME, LABELS)
    out = features.transform(FRAME)
    assert out.shape == (90, 3 * 6)
    for k in range(3):
        own = NetworkFeatures(features.estimator_, layer=f"networks.{k}.hidden.1")
        expected = own.set_params(prefit=True).fit(FRAME).transform(FRAME)
        assert_allclose(out[:, 6 * k : 6 * (k + 1)], expected, rtol=1e-4, atol=1e-6)


def test_the_last_stage_is_the_raw_output_of_the_average():
    features = NetworkFeatures(network(), layer=-1).fit(FRAME, LABELS)
    expected = features.estimator_.decision_function(FRAME)
    assert_allclose(features.transform(FRAME)[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", ["columns", "hidden.0", -2, -1])
def test_features_are_exported_with_the_columns(layer):
    features = NetworkFeatures(network(), layer=layer).fit(FRAME, LABELS)
    opened = OnnxTransformer(to_onnx(features, FRAME).to_bytes())
    expected = features.transform(FRAME)
    assert_allclose(opened.transform(FRAME), expected, rtol=1e-5, atol=1e-5)


def test_other_estimators_learn_from_the_embedding():
    pipe = make_pipeline(NetworkFeatures(network(60)), LogisticRegression())
    assert pipe.fit(FRAME, LABELS).score(FRAME, LABELS) > 0.9


def test_a_range_test_trains_the_first_network():
    finder = LearningRateFinder(network(), n_steps=20).fit(FRAME, LABELS)
    assert 0 < finder.suggestion_ < 10
