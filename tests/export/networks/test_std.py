"""Standard deviations of a network with the gaussian loss, alone and inside others."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    MLPRegressor,
    OnnxRegressor,
    Pruned,
    Quantized,
    ValidationHoldout,
    to_onnx,
)

rng = np.random.default_rng(0)
X = 1.2 * rng.normal(size=(90, 3)) + 0.2
y = X[:, 0] * 2 + rng.normal(size=90)


def net():
    return MLPRegressor((4,), loss="gaussian", max_epochs=2, random_state=0)


def piped(last):
    return make_pipeline(StandardScaler(), last)


def search(model):
    return GridSearchCV(model, {}, cv=2)


# A model, and a function that gives the fitted steps of the fitted model.
WITH_STD = {
    "Pipeline": (piped(net()), lambda m: list(m)),
    "search": (search(net()), lambda m: [m.best_estimator_]),
    "Pipeline > search": (piped(search(net())), lambda m: [m[0], m[1].best_estimator_]),
    "Pipeline > search > Pipeline": (
        piped(search(piped(net()))),
        lambda m: [m[0], *m[1].best_estimator_],
    ),
    "search > Pipeline > search": (
        search(piped(search(net()))),
        lambda m: [m.best_estimator_[0], m.best_estimator_[1].best_estimator_],
    ),
    "Pipeline > search > compression": (
        piped(search(Pruned(net()))),
        lambda m: [m[0], m[1].best_estimator_.estimator_],
    ),
    "Pipeline > quantized": (
        piped(Quantized(net())),
        lambda m: [m[0], m[1].estimator_],
    ),
    "Pipeline > holdout": (
        piped(ValidationHoldout(net())),
        lambda m: [m[0], m[1].estimator_],
    ),
    "holdout > Pipeline": (
        ValidationHoldout(piped(net())),
        lambda m: list(m.estimator_),
    ),
    "Pipeline > search > holdout > Pipeline": (
        piped(search(ValidationHoldout(piped(net())))),
        lambda m: [m[0], *m[1].best_estimator_.estimator_],
    ),
    "frozen Pipeline > search": (
        FrozenEstimator(piped(search(net())).fit(X, y)),
        lambda m: [m.estimator[0], m.estimator[1].best_estimator_],
    ),
}
WITHOUT_STD = {
    "target": TransformedTargetRegressor(piped(net())),
    "Pipeline > target": piped(TransformedTargetRegressor(net())),
    "vote": VotingRegressor([("a", piped(search(net()))), ("b", net())]),
    "Pipeline > search > vote": piped(search(VotingRegressor([("a", net())]))),
    "Pipeline > bagging": piped(BaggingRegressor(search(net()), 2, random_state=0)),
}


@pytest.mark.parametrize("name", WITH_STD)
def test_the_standard_deviation_is_in_the_file(name, run):
    model, steps_of = WITH_STD[name]
    model = model.fit(X, y)
    *steps, last = steps_of(model)
    rows = X
    for step in steps:
        rows = step.transform(rows)
    mean, std = last.predict(rows, return_std=True)
    export = to_onnx(model, X)
    outputs = run(export, X)
    np.testing.assert_allclose(outputs["variable"].ravel(), mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs["std"].ravel(), std, rtol=1e-5, atol=1e-5)
    got = OnnxRegressor(export.to_bytes()).predict(X, return_std=True)
    np.testing.assert_allclose(got, [mean, std], rtol=1e-5, atol=1e-5)
    alone = to_onnx(model, X, options={"return_std": False})
    assert [out.name for out in alone.model.graph.output] == ["variable"]


@pytest.mark.parametrize("name", WITHOUT_STD)
def test_models_without_a_standard_deviation_have_none_in_the_file(name, same):
    model = WITHOUT_STD[name].fit(X, y)
    export = to_onnx(model, X)
    assert [out.name for out in export.model.graph.output] == ["variable"]
    same(model, export, X)
