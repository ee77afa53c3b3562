"""A network's layers as features for other estimators."""

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    NetworkFeatures,
    to_onnx,
)


class Mixed(nn.Module):
    """No stages, a layer that gives a tuple, and one that is not used."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first = nn.Linear(n_features, 6)
        self.body = nn.Sequential(nn.Tanh(), nn.Linear(6, 4))
        self.recurrent = nn.GRU(4, 3, batch_first=True)
        self.outer = nn.Linear(3, n_outputs)
        self.spare = nn.Linear(2, 2)

    def forward(self, x):
        h = self.body(self.first(x))
        return self.outer(self.recurrent(h[:, None])[0][:, 0])


def net(**changed):
    settings = {"max_epochs": 5, "learning_rate": 0.03, "random_state": 0}
    return MLPClassifier((8, 5), **{**settings, **changed})


def own(**changed):
    return ModuleClassifier(Mixed, max_epochs=2, random_state=0, **changed)


@pytest.mark.oldest
def test_it_gives_the_last_hidden_layer_of_a_network_that_it_trains(iris):
    X, y = iris
    features = NetworkFeatures(net()).fit(X, y)
    trained = net().fit(X, y)
    with torch.inference_mode():
        expected = trained.module_.hidden(torch.from_numpy(np.array(X))).numpy()
    assert_allclose(features.transform(X), expected, atol=1e-12)
    assert features.transform(X).shape == (150, 5)
    assert features.n_features_in_ == 4


@pytest.mark.parametrize(
    ("layer", "width"), [(-1, 3), (0, 8), (1, 5), ("hidden.0", 8), ("output", 3)]
)
def test_any_stage_by_place_or_name(iris, layer, width):
    features = NetworkFeatures(net(), layer=layer).fit(*iris)
    assert features.transform(iris[0]).shape == (150, width)
    assert len(features.get_feature_names_out()) == width


def test_a_layer_inside_a_stage_by_its_dotted_name(iris):
    inner = NetworkFeatures(net(), layer="hidden.0.layers.0").fit(*iris)
    outer = NetworkFeatures(net(), layer=0).fit(*iris)
    assert_allclose(np.maximum(inner.transform(iris[0]), 0), outer.transform(iris[0]))


def test_a_module_of_ones_own_by_name_and_a_sequence_by_place(iris):
    assert NetworkFeatures(own(), layer="body").fit_transform(*iris).shape == (150, 4)

    def sequence(n_features, n_outputs):
        return nn.Sequential(
            nn.Linear(n_features, 7), nn.ReLU(), nn.Linear(7, n_outputs)
        )

    module = ModuleClassifier(sequence, max_epochs=2, random_state=0)
    assert NetworkFeatures(module).fit_transform(*iris).shape == (150, 7)


@pytest.mark.parametrize(
    ("estimator", "layer", "message"),
    [
        (net(), 3, r"its 3 stages are 0 \('hidden.0'\).*Got 3"),
        (net(), -4, "Got -4"),
        (net(), "hidden.7", "'hidden.1.layers.0'.*Got 'hidden.7'"),
        (own(), -2, r"no stages in a row, only layers by name: 'first', 'body'"),
        (own(), "", "Got ''"),
    ],
)
def test_a_layer_that_is_not_there_is_answered_with_those_that_are(
    iris, estimator, layer, message
):
    with pytest.raises(InvalidParameterError, match=message):
        NetworkFeatures(estimator, layer=layer).fit(*iris)


@pytest.mark.parametrize(
    ("layer", "message"), [("recurrent", "gives a tuple"), ("spare", "is not used")]
)
def test_a_layer_without_numbers_is_named(iris, layer, message):
    with pytest.raises(
        ValueError, match=f"layer='{layer}' of NetworkFeatures.*{message}"
    ):
        NetworkFeatures(own(), layer=layer).fit(*iris)


def test_a_fitted_network_is_used_as_it_is(iris):
    X, y = iris
    fitted = net().fit(X, y)
    frozen = NetworkFeatures(FrozenEstimator(fitted)).fit(X)
    prefit = NetworkFeatures(fitted, prefit=True).fit(X)
    assert frozen.estimator_ is prefit.estimator_ is fitted
    assert_array_equal(frozen.transform(X), prefit.transform(X))
    assert_array_equal(clone(frozen).fit(X).transform(X), frozen.transform(X))
    with pytest.raises(NotFittedError, match="MLPClassifier"):
        NetworkFeatures(net(), prefit=True).fit(X)


def test_an_error_leaves_it_as_it_was(iris):
    features = NetworkFeatures(net()).fit(*iris)
    before = features.transform(iris[0])
    with pytest.raises(InvalidParameterError):
        features.set_params(layer=9).fit(*iris)
    assert_array_equal(features.set_params(layer=-2).transform(iris[0]), before)


def test_weights_and_validation_rows_reach_the_network(iris):
    X, y = iris
    weight = np.where(y == 1, 5.0, 1.0)
    features = NetworkFeatures(net(early_stopping=True))
    features.fit(X, y, sample_weight=weight, X_val=X[::3], y_val=y[::3])
    alone = net(early_stopping=True)
    alone.fit(X, y, sample_weight=weight, X_val=X[::3], y_val=y[::3])
    assert_array_equal(features.estimator_.predict_proba(X), alone.predict_proba(X))


def test_metadata_is_routed_to_it(iris):
    X, y = iris
    weight = np.where(y == 1, 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        features = NetworkFeatures(net()).set_fit_request(sample_weight=True)
        last = LogisticRegression().set_fit_request(sample_weight=False)
        pipe = make_pipeline(features, last).fit(X, y, sample_weight=weight)
    alone = net().fit(X, y, sample_weight=weight)
    assert_array_equal(pipe[0].estimator_.predict_proba(X), alone.predict_proba(X))


def test_layer_and_network_are_searched_together(iris):
    pipe = make_pipeline(NetworkFeatures(net()), LogisticRegression())
    grid = {
        "networkfeatures__layer": [0, 1],
        "networkfeatures__estimator__dropout": [0.0, 0.5],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(*iris)
    assert search.best_score_ > 0.9


def test_frames_come_out_as_frames(iris):
    features = NetworkFeatures(MLPRegressor((3,), max_epochs=2, random_state=0))
    frame = features.set_output(transform="pandas").fit_transform(*iris)
    assert list(frame.columns) == [f"networkfeatures{i}" for i in range(3)]


@pytest.mark.parametrize(
    "features",
    [
        NetworkFeatures(net()),
        NetworkFeatures(net(normalization="batch", dtype="float32"), layer=0),
        NetworkFeatures(own(), layer="body"),
        NetworkFeatures(net(), layer="hidden.0.layers.0"),
    ],
    ids=["stage", "float32", "own", "inside"],
)
def test_a_pipeline_with_it_exports_with_the_receipt(iris, features):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), features, LogisticRegression()).fit(X, y)
    export = to_onnx(pipe, X.astype(np.float32))
    assert export.receipt["differences"]["predict_proba"]["largest"] < 1e-5
