"""Folds of a stacked search are views of X where only our networks and scikit-learn read it."""

import gc

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    RNNClassifier,
)
from sklearn_deep.data._row_view import RowView
from sklearn_deep.training.stacking import _shared_folds

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 6))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
FEW = {"max_epochs": 3, "random_state": 0}


def as_floats(X):
    """What a user's function gets."""
    assert type(X) is np.ndarray
    return X * 2


class Strict(TransformerMixin, BaseEstimator):
    """A transformer that takes nothing but arrays, as it never checks."""

    def fit(self, X, y=None):
        assert type(X) is np.ndarray
        return self

    def transform(self, X):
        assert type(X) is np.ndarray
        return X


class Subclass(MLPClassifier):
    """A network whose fit reads X itself."""

    def fit(self, X, y):
        assert type(X) is np.ndarray
        return super().fit(X, y)


def score(estimator, X, y):
    """A scorer of the user's, who takes X for an array."""
    assert type(X) is np.ndarray
    return float((estimator.predict(X) == y).mean() + X.mean() * 0)


@pytest.fixture
def lent(monkeypatch):
    """What was put in the place of X, call by call."""
    seen = []
    lend = _shared_folds.FoldLender._lend_to

    def noting(self, items, i):
        shares = lend(self, items, i)
        seen.append(isinstance(items[i][1][1], RowView))
        return shares

    monkeypatch.setattr(_shared_folds.FoldLender, "_lend_to", noting)
    return seen


NETWORKS = {
    "MLP": (MLPClassifier((8,), **FEW), X),
    "MLP, float32": (MLPClassifier((8,), **FEW), X.astype("float32")),
    "MLP, cast": (MLPClassifier((8,), dtype="float32", **FEW), X),
    "MLP, whole numbers": (MLPClassifier((8,), **FEW), np.round(X * 5).astype(int)),
    "MLP, columns first": (MLPClassifier((8,), **FEW), np.asfortranarray(X)),
    "MLP, early stopping": (MLPClassifier((8,), early_stopping=True, **FEW), X),
    "MLP, full batch": (MLPClassifier((8,), batch_size=90, **FEW), X),
    "MLP, lbfgs": (MLPClassifier((8,), optimizer="lbfgs", **FEW), X),
    "CNN, series": (CNNClassifier((4,), spatial_dims=1, **FEW), X),
    "CNN, images": (
        CNNClassifier((4,), **FEW),
        rng.integers(0, 255, (90, 5, 5), dtype=np.uint8),
    ),
    "RNN": (RNNClassifier(6, **FEW), X),
    "module": (ModuleClassifier("linear", **FEW), X),
}


def network_and_rows(name):
    """A network beside rows for it; a module is made here, its class being a torch one."""
    net, rows = NETWORKS[name]
    if name == "module":
        from torch import nn

        net = ModuleClassifier(nn.Linear, module__in_features=6, module__out_features=1)
        net.set_params(**FEW)
    return net, rows


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_of_shared_folds_are_those_of_copies(name, lent):
    net, rows = network_and_rows(name)
    alone = cross_validate(net, rows, Y, cv=3, return_train_score=True)
    with joblib.parallel_config(backend="stacked"):
        shared = cross_validate(net, rows, Y, cv=3, return_train_score=True)
    assert lent == [True] * 3
    for key in ("test_score", "train_score"):
        np.testing.assert_array_equal(shared[key], alone[key])


def test_weights_and_pipelines_share_folds_and_predict_the_same(lent):
    pipe = make_pipeline(StandardScaler(), PCA(4), MLPClassifier((8,), **FEW))
    weights = {"mlpclassifier__sample_weight": np.linspace(0, 2, 90)}
    alone = cross_val_predict(pipe, X, Y, cv=3, method="predict_proba", params=weights)
    with joblib.parallel_config(backend="stacked"):
        shared = cross_val_predict(
            pipe, X, Y, cv=3, method="predict_proba", params=weights
        )
    assert lent == [True] * 3
    np.testing.assert_allclose(shared, alone, rtol=1e-9)


def test_a_regression_with_several_targets_shares_folds(lent):
    net = MLPRegressor((8,), **FEW)
    targets = X[:, :2] * 3
    alone = cross_val_score(net, X, targets, cv=3)
    with joblib.parallel_config(backend="stacked"):
        shared = cross_val_score(net, X, targets, cv=3)
    assert lent == [True] * 3
    np.testing.assert_allclose(shared, alone, rtol=1e-9)


FOREIGN = {
    "a user's transformer": (make_pipeline(Strict(), MLPClassifier((8,), **FEW)), None),
    "a function": (
        make_pipeline(FunctionTransformer(as_floats), MLPClassifier((8,), **FEW)),
        None,
    ),
    "a subclass": (Subclass((8,), **FEW), None),
    "a scorer": (MLPClassifier((8,), **FEW), score),
    "scorers": (MLPClassifier((8,), **FEW), {"own": score, "accuracy": "accuracy"}),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_code_that_takes_x_for_an_array_gets_one(name, lent):
    estimator, scoring = FOREIGN[name]
    with joblib.parallel_config(backend="stacked"):
        cross_validate(estimator, X, Y, cv=3, scoring=scoring, error_score="raise")
    assert lent == [False] * 3


def test_a_step_that_a_search_replaces_gets_an_array(lent):
    pipe = make_pipeline(StandardScaler(), MLPClassifier((8,), **FEW))
    grid = {"standardscaler": [Strict(), StandardScaler()]}
    with joblib.parallel_config(backend="stacked"):
        GridSearchCV(pipe, grid, cv=3, refit=False, error_score="raise").fit(X, Y)
    assert lent == [False] * 6


def test_an_autoencoder_reads_its_rows_as_an_array():
    net = MLPAutoencoder(2, max_epochs=2, random_state=0)
    alone = cross_val_score(net, X, cv=3)
    with joblib.parallel_config(backend="stacked"):
        np.testing.assert_array_equal(cross_val_score(net, X, cv=3), alone)


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_to_refuse_spoils_the_folds_that_have_it_alone(value):
    rows = X.copy()
    rows[0, 0] = value
    others = np.arange(1, 90)
    folds = [(others[::2], others[1::2]), (np.arange(50), others[50:])]
    net = MLPClassifier((8,), **FEW)
    alone = cross_val_score(net, rows, Y, cv=folds)
    with joblib.parallel_config(backend="stacked"):
        scores = cross_val_score(net, rows, Y, cv=folds)
    assert np.isnan(scores).tolist() == [False, True]
    np.testing.assert_array_equal(scores, alone)


def test_the_error_of_a_shared_fold_is_that_of_a_copy():
    one_class = np.r_[np.zeros(60, dtype=int), np.ones(30, dtype=int)]
    folds = [(np.arange(60), np.arange(60, 90))]
    net = MLPClassifier((8,), **FEW)
    messages = []
    for backend in ("sequential", "stacked"):
        with (
            joblib.parallel_config(backend=backend),
            pytest.raises(ValueError, match="2 classes") as error,
        ):
            cross_val_score(net, X, one_class, cv=folds * 2, error_score="raise")
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_fitted_networks_hold_no_rows():
    with joblib.parallel_config(backend="stacked"):
        result = cross_validate(
            MLPClassifier((8,), **FEW), X, Y, cv=3, return_estimator=True
        )
    for net in result["estimator"]:
        assert net.n_features_in_ == 6
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is RowView]
