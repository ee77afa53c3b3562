"""Export of decision trees: every row reaches the same leaf as in scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from sklearn_deep import MLPClassifier, MLPRegressor, OnnxExportError, to_onnx

N_FRESH = 12_000
SEED = {"random_state": 0}
NET = MLPClassifier((4,), max_epochs=2, **SEED)
REGRESSOR = MLPRegressor((4,), max_epochs=2, **SEED)

CLASSIFIERS = {
    "tree": DecisionTreeClassifier(**SEED),
    "impure leaves": DecisionTreeClassifier(min_samples_leaf=5, **SEED),
    "extra tree": ExtraTreeClassifier(**SEED),
    "forest": RandomForestClassifier(12, **SEED),
    "impure forest": RandomForestClassifier(12, min_samples_leaf=4, **SEED),
    "extra trees": ExtraTreesClassifier(12, **SEED),
    "boosting": GradientBoostingClassifier(n_estimators=8, **SEED),
    "boosting from zero": GradientBoostingClassifier(
        n_estimators=8, init="zero", **SEED
    ),
    "histograms": HistGradientBoostingClassifier(max_iter=8, **SEED),
    "adaboost": AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=2), n_estimators=4, **SEED
    ),
    "bagging": BaggingClassifier(n_estimators=4, **SEED),
}
REGRESSORS = {
    "tree": DecisionTreeRegressor(**SEED),
    "extra tree": ExtraTreeRegressor(**SEED),
    "forest": RandomForestRegressor(12, **SEED),
    "extra trees": ExtraTreesRegressor(12, **SEED),
    "boosting": GradientBoostingRegressor(n_estimators=8, **SEED),
    "boosting from zero": GradientBoostingRegressor(
        n_estimators=8, init="zero", **SEED
    ),
    "boosting from a tree": GradientBoostingRegressor(
        n_estimators=8, init=DecisionTreeRegressor(max_depth=1), **SEED
    ),
    "histograms": HistGradientBoostingRegressor(max_iter=8, **SEED),
    "poisson": HistGradientBoostingRegressor(max_iter=8, loss="poisson", **SEED),
    "adaboost": AdaBoostRegressor(
        DecisionTreeRegressor(max_depth=2), n_estimators=4, **SEED
    ),
}
of_each = {
    "classifiers": pytest.mark.parametrize(
        "model", CLASSIFIERS.values(), ids=list(CLASSIFIERS)
    ),
    "regressors": pytest.mark.parametrize(
        "model", REGRESSORS.values(), ids=list(REGRESSORS)
    ),
    "dtypes": pytest.mark.parametrize("dtype", [np.float64, np.float32]),
}


@pytest.fixture(scope="module")
def data():
    """400 rows of three classes, and 12,000 rows made of the same values.

    Values of training rows, as a grid has them: behind a scaler many lie within the
    rounding of float32 of a threshold.
    """
    X, y = make_classification(400, 6, n_informative=4, n_classes=3, flip_y=0.1, **SEED)
    rng = np.random.default_rng(0)
    columns = np.arange(6)
    fresh = X[rng.integers(0, 400, (N_FRESH, 6)), columns]
    return X, y, fresh


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def outputs(model, X, fresh, run):
    """Outputs of the file of a fitted model, exported with 20 rows."""
    return list(run(to_onnx(model, X[:20]), fresh).values())


@pytest.mark.oldest
@of_each["classifiers"]
@of_each["dtypes"]
def test_labels_of_trees_agree_with_scikit_learn(model, dtype, data, run):
    X, y, fresh = data
    X, fresh = X.astype(dtype), fresh.astype(dtype)
    pipe = scaled(model).fit(X, y)
    labels, probabilities = outputs(pipe, X, fresh, run)
    assert_array_equal(labels, pipe.predict(fresh))
    assert_allclose(probabilities, pipe.predict_proba(fresh), rtol=0, atol=1e-14)


@of_each["regressors"]
@of_each["dtypes"]
def test_predictions_of_trees_agree_with_scikit_learn(model, dtype, data, run):
    X, y, fresh = data
    X, fresh = X.astype(dtype), fresh.astype(dtype)
    target = 1e9 + 1e6 * X[:, 0].astype(float) + y  # far from zero
    pipe = scaled(model).fit(X, target)
    (numbers,) = outputs(pipe, X, fresh, run)
    # There float32 cannot distinguish numbers closer than 64.
    assert_allclose(numbers[:, 0], pipe.predict(fresh), rtol=1e-14)


@of_each["classifiers"]
def test_a_stack_with_a_network_agrees(model, data, run):
    X, y, fresh = data
    stack = StackingClassifier([("net", NET), ("trees", model)], cv=2)
    pipe = scaled(stack).fit(X, y)
    labels, probabilities = outputs(pipe, X, fresh, run)
    assert_array_equal(labels, pipe.predict(fresh))
    assert_allclose(probabilities, pipe.predict_proba(fresh), rtol=0, atol=1e-12)


@of_each["classifiers"]
def test_a_soft_vote_of_two_classes_agrees(model, data, run):
    X, y, fresh = data
    members = [("net", NET), ("trees", model)]
    vote = VotingClassifier(members, voting="soft", flatten_transform=False)
    pipe = scaled(vote).fit(X, y > 0)
    labels, probabilities = outputs(pipe, X, fresh, run)
    assert_array_equal(labels.astype(bool), pipe.predict(fresh))
    assert_allclose(probabilities, pipe.predict_proba(fresh), rtol=0, atol=1e-12)


@of_each["regressors"]
def test_a_vote_of_regressors_with_a_network_agrees(model, data, run):
    X, _, fresh = data
    target = np.exp(X[:, 0])
    vote = VotingRegressor([("net", REGRESSOR), ("trees", model)])
    pipe = scaled(vote).fit(X, target)
    (numbers,) = outputs(pipe, X, fresh, run)
    assert_allclose(numbers[:, 0], pipe.predict(fresh), rtol=1e-10, atol=1e-10)


MISSING = {
    name: CLASSIFIERS[name]
    for name in ("tree", "extra tree", "forest", "extra trees", "histograms")
}


@pytest.mark.oldest
@pytest.mark.parametrize("model", MISSING.values(), ids=list(MISSING))
@of_each["dtypes"]
@pytest.mark.parametrize("seen", [True, False])
def test_missing_values_in_trees_agree(model, dtype, seen, data, run):
    X, y, fresh = data
    rng = np.random.default_rng(1)
    holes = rng.random(X.shape) < 0.1 if seen else np.zeros(X.shape, bool)
    X = np.where(holes, np.nan, X).astype(dtype)
    fresh = np.where(rng.random(fresh.shape) < 0.1, np.nan, fresh).astype(dtype)
    pipe = scaled(model).fit(X, y)
    labels, probabilities = outputs(pipe, X, fresh, run)
    assert_array_equal(labels, pipe.predict(fresh))
    assert_allclose(probabilities, pipe.predict_proba(fresh), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_numbers_next_to_a_threshold_of_a_tree_agree(dtype, run):
    X = np.array([[0], [1], [2], [3]], dtype) if dtype is np.int64 else None
    if X is None:  # thresholds between neighbours of float32
        X = np.array([0.1, np.nextafter(np.float32(0.1), np.float32(1))], dtype)
        X = np.repeat(X, 2)[:, None]
    tree = DecisionTreeClassifier().fit(X, [0, 0, 1, 1])
    threshold = tree.tree_.threshold[0]
    near = [threshold, np.nextafter(threshold, -9), np.nextafter(threshold, 9)]
    single = np.float32(threshold)
    near += [single, np.nextafter(single, -9), np.nextafter(single, 9)]
    fresh = np.array(near)[:, None].astype(dtype)
    pipe = make_pipeline(
        "passthrough",
        VotingClassifier([("tree", DecisionTreeClassifier())], voting="soft"),
    ).fit(X, [0, 0, 1, 1])
    labels = outputs(pipe, X, fresh, run)[0]
    assert_array_equal(labels, pipe.predict(fresh))


def test_several_targets_have_lists_of_probabilities(data, run):
    X, y, fresh = data
    pipe = scaled(RandomForestClassifier(6, **SEED)).fit(X, np.stack([y, y > 0], 1))
    labels, probabilities = outputs(pipe, X, fresh, run)
    assert_array_equal(labels, pipe.predict(fresh))
    for got, expected in zip(probabilities, pipe.predict_proba(fresh), strict=True):
        assert_array_equal(got, expected)


def test_several_numbers_are_predicted_at_once(data, run):
    X, y, fresh = data
    pipe = scaled(DecisionTreeRegressor(**SEED)).fit(X, np.stack([y, X[:, 0]], 1))
    (numbers,) = outputs(pipe, X, fresh, run)
    assert_array_equal(numbers, pipe.predict(fresh))


def test_an_embedding_by_trees_feeds_a_network(data, run):
    X, y, fresh = data
    pipe = scaled(make_pipeline(RandomTreesEmbedding(6, **SEED), NET)).fit(X, y)
    labels, probabilities = outputs(pipe, X, fresh, run)
    assert_array_equal(labels, pipe.predict(fresh))
    assert_allclose(probabilities, pipe.predict_proba(fresh), rtol=0, atol=1e-12)


def test_the_exponential_loss_agrees(data, run):
    X, y, fresh = data
    model = GradientBoostingClassifier(n_estimators=8, loss="exponential", **SEED)
    pipe = scaled(model).fit(X, y > 0)
    _, probabilities = outputs(pipe, X, fresh, run)
    assert_allclose(probabilities, pipe.predict_proba(fresh), rtol=0, atol=1e-14)


def test_a_tree_of_one_leaf_agrees(data, run):
    X, y, fresh = data
    pipe = scaled(DecisionTreeClassifier(min_samples_leaf=400)).fit(X, y)
    _, probabilities = outputs(pipe, X, fresh[:5], run)
    assert_array_equal(probabilities, pipe.predict_proba(fresh[:5]))


def test_the_error_names_an_estimator_without_onnx_form(data):
    X, y, _ = data
    own = GradientBoostingClassifier(init=DecisionTreeClassifier(max_depth=1))
    with pytest.raises(OnnxExportError, match="init='zero'"):
        to_onnx(scaled(own).fit(X, y > 0), X)
    categories = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0])
    X = np.column_stack([np.arange(400) % 3, X])
    with pytest.raises(OnnxExportError, match="OneHotEncoder"):
        to_onnx(make_pipeline("passthrough", categories).fit(X, y), X)
