"""Subclasses of scikit-learn's classes, such as imbalanced-learn's Pipeline.

skl2onnx finds a converter by the exact class, so that each of these needs its base class
to be found. Expected values are what the fitted estimator predicts.
"""

import numpy as np
import pytest
import skl2onnx
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, OnnxClassifier, to_onnx

pytestmark = pytest.mark.oldest

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 3))
y = (X[:, 0] + 0.3 * rng.normal(size=120) > 0.8).astype(int)


def net():
    return MLPClassifier((4,), max_epochs=2, random_state=0)


class OwnScaler(StandardScaler):
    pass


class OwnPCA(PCA):
    pass


class OwnPipeline(Pipeline):
    pass


class OwnUnion(FeatureUnion):
    pass


class OwnColumns(ColumnTransformer):
    pass


class OwnSearch(GridSearchCV):
    pass


class OwnVote(VotingClassifier):
    pass


class OwnStack(StackingClassifier):
    pass


class OwnLogisticRegression(LogisticRegression):
    pass


MODELS = {
    "steps": lambda: make_pipeline(OwnScaler(), OwnPCA(2), net()),
    "Pipeline": lambda: OwnPipeline([("scale", OwnScaler()), ("net", net())]),
    "FeatureUnion": lambda: make_pipeline(
        OwnUnion([("a", OwnScaler()), ("b", OwnPCA(1))]), net()
    ),
    "ColumnTransformer": lambda: make_pipeline(
        OwnColumns([("a", OwnScaler(), [0, 1]), ("b", "passthrough", [2])]), net()
    ),
    "search": lambda: OwnSearch(
        OwnPipeline([("scale", OwnScaler()), ("net", net())]),
        {"net__max_epochs": [1]},
        cv=2,
    ),
    "vote": lambda: OwnVote(
        [("a", net()), ("b", OwnLogisticRegression())], voting="soft"
    ),
    "stack": lambda: OwnStack([("a", net()), ("b", OwnLogisticRegression())], cv=2),
    "bare": lambda: OwnLogisticRegression(),
}


@pytest.mark.parametrize("name", MODELS)
def test_subclasses_are_exported_by_their_base_class(name, same):
    model = MODELS[name]().fit(X, y)
    export = to_onnx(model, X, tolerance=1e-6)
    same(model, export, X, tolerance=1e-6)
    assert export.model.graph.name == type(model).__name__
    reader = OnnxClassifier(export.to_bytes())
    np.testing.assert_array_equal(reader.predict(X), model.predict(X))


def test_options_by_step_reach_the_steps_of_a_subclass(run):
    model = OwnPipeline([("scale", OwnScaler()), ("net", net())]).fit(X, y == 1)
    by_class = run(to_onnx(model, X, options={OwnPipeline: {"nocl": True}}), X)
    by_step = run(to_onnx(model, X, options={"net__nocl": True}), X)
    for outputs in (by_class, by_step):
        np.testing.assert_array_equal(outputs["label"], model.predict(X).astype(int))


class Thinner(BaseEstimator):
    """A sampler with fit_resample only, as in imbalanced-learn."""

    def fit_resample(self, X, y):
        return X[::2], y[::2]


class ResamplingPipeline(Pipeline):
    """Fits the classifier on resampled rows, and skips samplers in predict."""

    def __init__(self, steps, *, transform_input=None, memory=None, verbose=False):
        super().__init__(
            steps, transform_input=transform_input, memory=memory, verbose=verbose
        )

    def _validate_steps(self):
        pass

    def fit(self, X, y):
        for _, step in self.steps[:-1]:
            if hasattr(step, "fit_resample"):
                X, y = step.fit_resample(X, y)
            else:
                X = step.fit_transform(X, y)
        self.steps[-1][1].fit(X, y)
        return self

    def _iter(self, with_final=True, filter_passthrough=True):
        steps = super()._iter(with_final, filter_passthrough)
        return (step for step in steps if not hasattr(step[-1], "fit_resample"))


def test_samplers_are_left_out_of_the_file(same):
    steps = [("scale", StandardScaler()), ("thin", Thinner()), ("net", net())]
    model = ResamplingPipeline(steps).fit(X, y)
    same(model, to_onnx(model, X, tolerance=1e-6), X, tolerance=1e-6)


def imblearn_models():
    pytest.importorskip("imblearn")
    from imblearn import FunctionSampler
    from imblearn.ensemble import BalancedBaggingClassifier, RUSBoostClassifier
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
    from imblearn.under_sampling import RandomUnderSampler

    smote = SMOTE(random_state=0)
    thin = RandomUnderSampler(random_state=0)
    piped = make_imblearn_pipeline(StandardScaler(), smote, net())
    return {
        "oversampling": piped,
        "function": make_imblearn_pipeline(FunctionSampler(), PCA(2), net()),
        "two samplers": make_imblearn_pipeline(
            smote, StandardScaler(), thin, "passthrough", net()
        ),
        "search": GridSearchCV(piped, {"mlpclassifier__max_epochs": [1]}, cv=2),
        "search inside": make_imblearn_pipeline(
            thin, GridSearchCV(net(), {"max_epochs": [1]}, cv=2)
        ),
        "vote": VotingClassifier([("a", piped), ("b", net())], voting="soft"),
        "bagging": BalancedBaggingClassifier(net(), n_estimators=2, random_state=0),
        "boosting": RUSBoostClassifier(
            LogisticRegression(), n_estimators=2, random_state=0
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "oversampling",
        "function",
        "two samplers",
        "search",
        "search inside",
        "vote",
        "bagging",
        "boosting",
    ],
)
def test_pipelines_of_imbalanced_learn_are_exported(name, same):
    model = imblearn_models()[name].fit(X, y)
    same(model, to_onnx(model, X, tolerance=1e-6), X, tolerance=1e-6)


def test_skl2onnx_converts_a_pipeline_of_imbalanced_learn_around_a_network(same):
    model = imblearn_models()["oversampling"].fit(X, y)
    proto = skl2onnx.to_onnx(model, X, options={MLPClassifier: {"zipmap": False}})
    same(model, proto, X, tolerance=1e-6)


def test_a_subclass_with_another_predict_is_refused():
    class Doubled(StandardScaler):
        def transform(self, X):
            return 2 * super().transform(X)

    model = make_pipeline(Doubled(), net()).fit(X, y)
    with pytest.raises(ValueError, match="doubled -> Doubled"):
        to_onnx(model, X)
