"""Pipelines and ensembles are exported in every operator set."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from sklearn_deep import MLPClassifier, MLPRegressor, to_onnx

pytestmark = pytest.mark.oldest


def network(cls=MLPClassifier):
    return cls((6,), max_epochs=2, random_state=0)


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "income": rng.lognormal(10, 1, n),
            "city": rng.choice(["x", "y", "z"], n),
            "job": rng.choice(list("abcdefgh"), n),
            "member": rng.random(n) > 0.5,
        }
    )
    frame.loc[::7, "income"] = np.nan
    frame["city"] = frame["city"].where(rng.random(n) > 0.1)
    return frame, (frame["age"] > 50).to_numpy()


@pytest.fixture(scope="module")
def pipeline(people):
    def filled(*steps):
        return make_pipeline(SimpleImputer(), *steps)

    bins = KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform")
    prepare = make_column_transformer(
        (filled(StandardScaler(), PolynomialFeatures(2)), ["age", "income"]),
        (filled(PowerTransformer(), Normalizer("max")), ["age", "income"]),
        (
            filled(QuantileTransformer(n_quantiles=40, output_distribution="normal")),
            ["income"],
        ),
        (filled(bins), ["income"]),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
            ["city"],
        ),
        (
            OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist"),
            ["job"],
        ),
        (TargetEncoder(), ["job", "city"]),
        (OrdinalEncoder(), ["member"]),
    )
    return make_pipeline(prepare, network()).fit(*people)


def test_preparation_of_a_frame_agrees(opset, pipeline, people, same):
    frame, _ = people
    same(pipeline, to_onnx(pipeline, frame[:60], target_opset=opset), frame[60:])


CLASSIFIERS = {
    "sigmoid": lambda e: CalibratedClassifierCV(e, cv=2),
    "isotonic": lambda e: CalibratedClassifierCV(e, method="isotonic", cv=2),
    "soft vote": lambda e: VotingClassifier(
        [("a", e), ("b", LogisticRegression(max_iter=2000))], voting="soft"
    ),
    "hard vote": lambda e: VotingClassifier(
        [("a", e), ("b", LogisticRegression(max_iter=2000))]
    ),
    "stack": lambda e: StackingClassifier(
        [("a", e)], LogisticRegression(max_iter=2000), cv=2, passthrough=True
    ),
    "bag": lambda e: BaggingClassifier(e, n_estimators=2, max_features=0.5),
    "boost": lambda e: AdaBoostClassifier(e, n_estimators=2, random_state=0),
    "one against the rest": OneVsRestClassifier,
    "one against one": OneVsOneClassifier,
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_around_a_network_agree(name, end_opset, same):
    X, y = load_iris(return_X_y=True)
    model = CLASSIFIERS[name](network()).fit(X, y)
    same(model, to_onnx(model, X, target_opset=end_opset), X + 0.1)


def test_thresholds_and_several_targets_agree(end_opset, same):
    X, y = load_iris(return_X_y=True)
    tuned = TunedThresholdClassifierCV(network(), cv=2).fit(X, y == 1)
    several = MultiOutputClassifier(network()).fit(X, np.c_[y, y[::-1]])
    for model in (tuned, several):
        same(model, to_onnx(model, X, target_opset=end_opset), X + 0.1)


def test_regressors_around_a_network_agree(end_opset, same):
    X, y = load_iris(return_X_y=True)
    members = [("a", network(MLPRegressor)), ("b", RidgeCV())]
    for model in (
        VotingRegressor(members),
        StackingRegressor(members, cv=2),
        AdaBoostRegressor(network(MLPRegressor), n_estimators=4, random_state=0),
    ):
        model.fit(X, y + 1.0)
        same(model, to_onnx(model, X, target_opset=end_opset), X + 0.1)
