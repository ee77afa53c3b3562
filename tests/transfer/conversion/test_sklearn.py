"""scikit-learn's networks become ours, and ours become scikit-learn's."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    Pruned,
    Quantized,
    from_sklearn,
    to_onnx,
    to_sklearn,
)
from sklearn_deep.nn._activations import ACTIVATIONS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
CLASSES = {
    "two": X[:, 0] > 0,
    "two texts": np.where(X[:, 0] > 0, "yes", "no"),
    "three": THREE,
    "three texts": np.array(["low", "mid", "top"])[THREE],
    "labels": (X[:, :3] > 0).astype(int),
}
NUMBERS = {"one": X[:, 0] * 30 + 7, "two": X[:, :2] * [3, 40] + [1, -5]}
THEIRS = ("identity", "logistic", "tanh", "relu")
OURS = ("identity", "sigmoid", "tanh", "relu")


def fitted(mlp, y, X=X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mlp.fit(X, y)


def their_classifier(y=CLASSES["three"], X=X, **params):
    params = {"max_iter": 12, "random_state": 0, **params}
    return fitted(neural_network.MLPClassifier((7, 5), **params), y, X)


def their_regressor(y=NUMBERS["one"], **params):
    params = {"max_iter": 12, "random_state": 0, **params}
    return fitted(neural_network.MLPRegressor(hidden_layer_sizes=(7,), **params), y)


def our_classifier(y=CLASSES["three"], **params):
    params = {"max_epochs": 3, "random_state": 0, **params}
    return MLPClassifier((7, 5), **params).fit(X, y)


def our_regressor(y=NUMBERS["one"], **params):
    params = {"activation": "relu", "max_epochs": 3, "random_state": 0, **params}
    return MLPRegressor((7, 5), **params).fit(X, y)


@pytest.mark.parametrize("activation", THEIRS)
@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_their_classifier_predicts_the_same_as_ours(y, activation):
    mlp = their_classifier(y, activation=activation)
    network = from_sklearn(mlp)
    assert_array_equal(network.predict(X), mlp.predict(X))
    assert network.predict(X).dtype == mlp.predict(X).dtype
    assert_array_equal(network.classes_, mlp.classes_)
    assert_allclose(network.predict_proba(X), mlp.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("y", NUMBERS.values(), ids=NUMBERS)
def test_their_regressor_predicts_the_same_as_ours(y):
    mlp = their_regressor(y)
    assert_allclose(from_sklearn(mlp).predict(X), mlp.predict(X), rtol=1e-12)


def test_their_poisson_regressor_predicts_the_same_as_ours():
    mlp = their_regressor(np.exp(X[:, 0]), loss="poisson")
    network = from_sklearn(mlp)
    assert network.loss == "poisson"
    assert_allclose(network.predict(X), mlp.predict(X), rtol=1e-10)


def test_a_network_of_float32_stays_one():
    mlp = their_classifier(X=X.astype(np.float32))
    network = from_sklearn(mlp)
    assert network.predict_proba(X).dtype == np.float32
    assert network.module_.output.weight.numpy(force=True).dtype == np.float32


@pytest.mark.parametrize("hidden", [(), (6,)])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_every_solver_and_a_network_without_hidden_units(solver, hidden):
    params = {"solver": solver, "max_iter": 5, "random_state": 0}
    mlp = fitted(neural_network.MLPClassifier(hidden, **params), THREE)
    network = from_sklearn(mlp)
    assert_allclose(network.predict_proba(X), mlp.predict_proba(X), atol=1e-12)
    assert network.n_iter_ == mlp.n_iter_
    assert network.loss_curve_[-1] == pytest.approx(mlp.loss_)


def test_parameters_are_translated_as_the_guide_says():
    mlp = their_classifier(
        solver="sgd",
        nesterovs_momentum=False,
        momentum=0.8,
        learning_rate="adaptive",
        learning_rate_init=0.02,
        alpha=0.5,
        batch_size=10,
        early_stopping=True,
        activation="logistic",
    )
    expected = {
        "hidden_layer_sizes": [7, 5],
        "activation": "sigmoid",
        "optimizer": "momentum",
        "momentum": 0.8,
        "learning_rate": 0.02,
        "learning_rate_schedule": "plateau",
        "l2": 0.05,
        "batch_size": 10,
        "max_epochs": 12,
        "early_stopping": True,
        "dropout": 0.0,
        "weight_decay": 0.0,
    }
    params = from_sklearn(mlp).get_params()
    assert {name: params[name] for name in expected} == expected


def test_history_has_the_losses_and_scores_that_they_kept():
    mlp = their_classifier(early_stopping=True)
    history = from_sklearn(mlp).history_
    assert history["valid_score"].tolist() == mlp.validation_scores_
    assert history["train_loss"].tolist()[:-1] == mlp.loss_curve_[:-1]


def test_names_of_columns_are_kept_and_checked():
    frame = pd.DataFrame(X, columns=list("abcd"))
    network = from_sklearn(their_classifier(X=frame))
    assert network.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        network.predict(frame[list("dcba")])


def test_what_it_gives_clones_pickles_and_is_trained_further():
    network = from_sklearn(their_classifier())
    twin = pickle.loads(pickle.dumps(network))
    assert_array_equal(twin.predict_proba(X), network.predict_proba(X))
    before = network.module_.output.weight.detach().clone()
    network.partial_fit(X, THREE)
    change = (network.module_.output.weight - before).abs().max()
    assert 0 < change < 0.1
    assert len(network.history_) == 13
    fresh = clone(network)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    twin.set_params(warm_start=True, max_epochs=20)
    assert twin.fit(X, THREE).score(X, THREE) >= network.score(X, THREE)
    assert twin.net_.history  # skorch's view of it


def test_what_it_gives_is_compressed_and_exported():
    network = from_sklearn(their_classifier())
    pruned = Pruned(network, prefit=True, amount=0.2, fine_tune_epochs=2).fit(X, THREE)
    assert (pruned.estimator_.module_.output.weight == 0).any()
    quantized = Quantized(network, prefit=True).fit(X, THREE)
    assert quantized.score(X, THREE) > network.score(X, THREE) - 0.1
    assert to_onnx(network, X).receipt["rows"] > 0


def test_a_pipeline_is_converted_and_theirs_is_left_alone():
    pipe = make_pipeline(StandardScaler(), neural_network.MLPClassifier(max_iter=3))
    fitted(pipe, CLASSES["two"])
    ours = from_sklearn(pipe)
    assert isinstance(ours[-1], MLPClassifier)
    assert isinstance(pipe[-1], neural_network.MLPClassifier)
    assert ours[0] is not pipe[0]
    assert_allclose(ours.predict_proba(X), pipe.predict_proba(X), atol=1e-12)


def test_a_frozen_network_is_converted():
    frozen = FrozenEstimator(their_classifier())
    assert_array_equal(from_sklearn(frozen).predict(X), frozen.predict(X))


def test_neither_the_network_nor_its_random_state_is_changed():
    state = np.random.RandomState(3)
    mlp = their_classifier(random_state=state)
    before, weights = state.get_state()[1].copy(), mlp.coefs_[0].copy()
    network = from_sklearn(mlp).partial_fit(X, THREE)
    assert_array_equal(state.get_state()[1], before)
    assert_array_equal(mlp.coefs_[0], weights)
    assert network.random_state is not state


@pytest.mark.parametrize(
    "value", [LogisticRegression(), MLPClassifier(), neural_network.MLPClassifier, 3]
)
def test_another_estimator_is_refused_by_name(value):
    with pytest.raises(TypeError, match="takes a fitted MLPClassifier or MLPRegressor"):
        from_sklearn(value)


def test_a_network_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        from_sklearn(neural_network.MLPClassifier())
    with pytest.raises(NotFittedError):
        to_sklearn(MLPClassifier())


@pytest.mark.parametrize("activation", OURS)
@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_our_classifier_predicts_the_same_as_theirs(y, activation):
    network = our_classifier(y, activation=activation)
    mlp = to_sklearn(network)
    assert_array_equal(mlp.predict(X), network.predict(X))
    assert_allclose(mlp.predict_proba(X), network.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("y", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_our_regressor_predicts_the_same_as_theirs(loss, y):
    network = our_regressor(y, loss=loss)
    mlp = to_sklearn(network)
    assert_allclose(mlp.predict(X), network.predict(X), rtol=1e-9)


def test_our_poisson_regressor_predicts_the_same_as_theirs():
    network = our_regressor(np.exp(X[:, 0]) * 20, loss="poisson")
    assert_allclose(to_sklearn(network).predict(X), network.predict(X), rtol=1e-9)


def test_batch_normalisation_is_folded_into_the_weights():
    network = our_classifier(normalization="batch")
    mlp = to_sklearn(network)
    assert_allclose(mlp.predict_proba(X), network.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", "nesterov", "lbfgs"])
def test_theirs_goes_on_training_with_the_same_classes(optimizer):
    network = our_classifier(CLASSES["three texts"], optimizer=optimizer)
    mlp = to_sklearn(network)
    before = mlp.coefs_[0].copy()
    if optimizer == "lbfgs":  # scikit-learn's has no partial_fit with it
        fitted(mlp.set_params(warm_start=True, max_iter=1), CLASSES["three texts"])
    else:
        mlp.partial_fit(X[:10], CLASSES["three texts"][:10])
    assert 0 < abs(mlp.coefs_[0] - before).max() < 0.5
    assert_array_equal(mlp.classes_, network.classes_)


def test_a_pruned_network_keeps_its_zeros():
    pruned = Pruned(our_classifier(), prefit=True, amount=0.5).fit(X, THREE)
    mlp = to_sklearn(pruned)
    assert sum((w == 0).sum() for w in mlp.coefs_) > 30
    assert_allclose(mlp.predict_proba(X), pruned.predict_proba(X), atol=1e-12)


def test_there_and_back_is_the_same_network():
    mlp = their_classifier(CLASSES["three texts"], alpha=0.1)
    back = to_sklearn(from_sklearn(mlp))
    for before, after in zip(mlp.coefs_, back.coefs_, strict=True):
        assert_array_equal(before, after)
    same = ("alpha", "solver", "learning_rate_init", "activation", "max_iter", "beta_1")
    assert [getattr(back, name) for name in same] == [
        getattr(mlp, name) for name in same
    ]


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - set(OURS)))
def test_an_activation_that_scikit_learn_lacks_is_named(activation):
    with pytest.raises(ValueError, match="cannot hold this network: it has no"):
        to_sklearn(our_classifier(activation=activation))


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: our_classifier(residual=True), "residual"),
        (lambda: our_classifier(normalization="layer"), "no LayerNorm"),
        (lambda: our_regressor(loss="gaussian"), "more than one number"),
        (
            lambda: our_regressor(
                loss="quantile", loss_params={"quantile": [0.1, 0.9]}
            ),
            "more than one number",
        ),
        (
            lambda: Quantized(our_classifier(), prefit=True).fit(X, THREE),
            "QuantizedNetwork",
        ),
    ],
)
def test_what_scikit_learn_cannot_hold_is_refused_with_the_reason(network, reason):
    with pytest.raises(ValueError, match=reason):
        to_sklearn(network())


def test_another_family_is_refused_with_the_way_to_go():
    network = CNNClassifier(conv_channels=(2,), max_epochs=1)
    network.fit(RNG.normal(size=(20, 8, 1)), THREE[:20])
    with pytest.raises(TypeError, match="Use to_onnx"):
        to_sklearn(network)
