"""Export by skl2onnx's own converters: alone, as steps, and in votes.

skl2onnx writes one form an estimator, which is what it predicts; some transform too. Expected
values are those of the fitted estimators and steps.
"""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import skl2onnx
from skl2onnx._supported_operators import sklearn_operator_name_map
from sklearn.base import is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import Birch, BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, MissingIndicator
from sklearn.kernel_approximation import AdditiveChi2Sampler
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KNeighborsClassifier,
    LocalOutlierFactor,
    NeighborhoodComponentsAnalysis,
    RadiusNeighborsClassifier,
)
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, OneClassSVM
from sklearn.utils import all_estimators

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    OnnxRegressor,
    OnnxTransformer,
    to_onnx,
)
from sklearn_deep.exceptions import OnnxExportError, OnnxParityError

rng = np.random.default_rng(0)
X = np.abs(rng.normal(size=(90, 4)))
TWO = (X[:, 0] > 0.6).astype(int)
THREE = TWO + (X[:, 1] > 0.8)
NUMBERS = X @ [1.0, -2.0, 0.5, 3.0]
BLOCKS = np.stack([NUMBERS, X[:, 0] * 3], 1)
DTYPES = [np.float64, np.float32]


def net():
    return MLPClassifier((4,), max_epochs=2, random_state=0)


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about convergence
        return model.fit(X, y)


# As steps: the output is the transform, not the prediction

STEPS = {
    "KMeans": lambda: KMeans(3, n_init=1, random_state=0),
    "MiniBatchKMeans": lambda: MiniBatchKMeans(3, n_init=1, random_state=0),
    "BisectingKMeans": lambda: BisectingKMeans(3, random_state=0),
    "Birch": lambda: Birch(threshold=0.9, n_clusters=3),
    "LDA": LinearDiscriminantAnalysis,
    "LDA with fewer axes": lambda: LinearDiscriminantAnalysis(n_components=1),
    "LDA, eigen": lambda: LinearDiscriminantAnalysis(solver="eigen"),
    "neighbourhood components": lambda: NeighborhoodComponentsAnalysis(2),
    "selection by a model": lambda: SelectFromModel(LogisticRegression()),
    "RFE": lambda: RFE(LogisticRegression(), n_features_to_select=2),
    "soft vote": lambda: VotingClassifier(
        [("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"
    ),
    "hard vote": lambda: VotingClassifier(
        [("a", LogisticRegression()), ("b", GaussianNB())]
    ),
    "stack": lambda: StackingClassifier([("a", LogisticRegression())], cv=2),
    "search": lambda: GridSearchCV(KMeans(3, n_init=1, random_state=0), {}, cv=2),
    "frozen": lambda: FrozenEstimator(LinearDiscriminantAnalysis().fit(X, THREE)),
}


@pytest.mark.oldest
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_also_predicts_is_used_for_its_transform(
    name, dtype, same, transform
):
    rows = X.astype(dtype)
    model = fitted(make_pipeline(STEPS[name](), net()), rows, THREE)
    same(model, to_onnx(model, rows), rows)
    step, tolerance = model[0], 1e-6 if dtype == np.float32 else 1e-9
    expected = step.transform(rows)
    np.testing.assert_allclose(
        transform(step, rows), expected, rtol=tolerance, atol=tolerance
    )


def test_a_voting_regressor_as_a_step_agrees(transform):
    vote = VotingRegressor([("a", Ridge()), ("b", Ridge(9.0))]).fit(X, NUMBERS)
    expected = np.stack([m.predict(X) for m in vote.estimators_], 1)
    np.testing.assert_allclose(transform(vote, X), expected, rtol=1e-6)


@pytest.mark.parametrize("cls", [PLSRegression, PLSCanonical, CCA, PLSSVD])
def test_partial_least_squares_as_a_step_transforms_to_scores(cls, transform, run):
    model = cls(n_components=2).fit(X, BLOCKS)
    np.testing.assert_allclose(transform(model, X), model.transform(X), rtol=1e-9)
    if hasattr(model, "predict"):
        got = run(to_onnx(model, X), X)["variable"]
        np.testing.assert_allclose(got, model.predict(X), rtol=1e-9)


def test_a_step_with_a_3d_output_is_refused(transform):
    votes = [("a", LogisticRegression()), ("b", GaussianNB())]
    model = VotingClassifier(votes, voting="soft", flatten_transform=False)
    with pytest.raises(OnnxExportError, match="flatten_transform=True"):
        transform(model.fit(X, TWO), X)


def test_skl2onnx_predictions_are_never_used_as_a_transform(transform):
    class Forest(RandomForestClassifier):
        """A transformer whose base class is none."""

        def transform(self, X):
            return self.apply(X)

    model = Forest(2, random_state=0).fit(X, TWO)
    with pytest.raises(OnnxExportError, match="Forest has no ONNX form of its trans"):
        transform(model, X)


# As the last step, and alone

CLASSIFIERS = {
    "LogisticRegression": LogisticRegression,
    "LogisticRegressionCV": lambda: (
        LogisticRegressionCV(Cs=2, cv=2, use_legacy_attributes=False)
        if "use_legacy_attributes" in inspect.signature(LogisticRegressionCV).parameters
        else LogisticRegressionCV(Cs=2, cv=2)
    ),
    "SVC": SVC,
    "LinearSVC": LinearSVC,
    "GaussianNB": GaussianNB,
    "KNeighborsClassifier": lambda: KNeighborsClassifier(3),
    "SklearnMLP": lambda: SklearnMLP((4,), max_iter=20, random_state=0),
    "LDA": LinearDiscriminantAnalysis,
    "QDA": QuadraticDiscriminantAnalysis,
    "RFE": lambda: RFE(LogisticRegression(), n_features_to_select=2),
    "RFECV": lambda: RFECV(LinearSVC(), cv=2),
}


@pytest.mark.parametrize("y", [TWO, THREE, np.array(["a", "b", "c"])[THREE]])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_of_scikit_learn_is_exported_without_a_network(name, y, same):
    rows = X.astype(np.float32)
    model = fitted(CLASSIFIERS[name](), rows, y)
    export = to_onnx(model, rows)
    same(model, export, rows)
    assert [o.name for o in export.model.graph.output] == ["label", "probabilities"]
    assert export.receipt["rows"] == 90
    reader = OnnxClassifier(export.to_bytes())
    np.testing.assert_array_equal(reader.predict(rows), model.predict(rows))
    np.testing.assert_array_equal(reader.classes_, model.classes_)


@pytest.mark.parametrize("model", [Ridge(), SVR(), PLSRegression(1)], ids=str)
def test_a_regressor_of_scikit_learn_is_exported_without_a_network(model):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = model.fit(frame, NUMBERS)
    export = to_onnx(model, frame)
    assert [i.name for i in export.model.graph.input] == list("abcd")
    got = OnnxRegressor(export.to_bytes()).predict(frame)
    np.testing.assert_allclose(got, model.predict(frame), rtol=1e-5)


def test_options_reach_a_classifier_that_is_exported_alone(run):
    model = SVC().fit(X, THREE)
    raw = run(to_onnx(model, X, options={"raw_scores": True}), X)
    np.testing.assert_allclose(
        raw["probabilities"], model.decision_function(X), rtol=1e-4, atol=1e-5
    )
    model = LogisticRegression().fit(X, THREE)
    zipped = run(to_onnx(model, X, options={"zipmap": True}), X)
    rows = [list(row.values()) for row in list(zipped.values())[1]]
    np.testing.assert_allclose(rows, model.predict_proba(X), rtol=1e-5)


CLUSTERERS = {
    "KMeans": lambda: KMeans(3, n_init=1, random_state=0),
    "MiniBatchKMeans": lambda: MiniBatchKMeans(3, n_init=1, random_state=0),
    "Birch": lambda: Birch(threshold=0.9, n_clusters=2),
    "search": lambda: GridSearchCV(KMeans(3, n_init=1, random_state=0), {}, cv=2),
    "Pipeline": lambda: make_pipeline(
        StandardScaler(), KMeans(3, n_init=1, random_state=0)
    ),
}


@pytest.mark.parametrize("name", CLUSTERERS)
def test_a_clusterer_outputs_labels_and_distances(name, run):
    model = CLUSTERERS[name]().fit(X)
    export = to_onnx(model, X)
    outputs = run(export, X)
    assert list(outputs) == ["variable", "label", "refused"]
    np.testing.assert_array_equal(outputs["label"], model.predict(X))
    np.testing.assert_allclose(outputs["variable"], model.transform(X), atol=1e-9)
    reader = OnnxTransformer(export.to_bytes())
    np.testing.assert_array_equal(reader.predict(X), model.predict(X))
    np.testing.assert_allclose(reader.transform(X), model.transform(X), atol=1e-9)


def test_a_reader_of_a_transformer_without_labels_has_no_predict():
    for model in (PCA(2).fit(X), BisectingKMeans(2).fit(X)):
        reader = OnnxTransformer(to_onnx(model, X).to_bytes())
        assert not hasattr(reader, "predict")


@pytest.mark.parametrize(
    "model",
    [
        IsolationForest(n_estimators=2),
        LocalOutlierFactor(novelty=True),
        OneClassSVM(),
        GaussianMixture(2),
    ],
    ids=str,
)
def test_outlier_detectors_and_mixtures_are_refused(model):
    with pytest.raises(OnnxExportError, match=f"{type(model).__name__}.* transform"):
        to_onnx(model.fit(X), X)


def test_the_error_names_an_estimator_without_onnx_form():
    several = np.stack([TWO, 1 - TWO], 1)
    refused = {
        RidgeClassifier().fit(X, several): "several labels per row",
        fitted(SklearnMLP((4,), max_iter=9), X, several): "several labels per row",
        RadiusNeighborsClassifier(2.0).fit(X, TWO): "cannot compute|no ONNX form",
        MissingIndicator().fit(X): "No column is left",
        AdditiveChi2Sampler().fit(X): "AdditiveChi2Sampler has no ONNX form",
    }
    for model, message in refused.items():
        with pytest.raises(OnnxExportError, match=message):
            to_onnx(model, X)


# In votes and calibration

SCORES = {
    "log_loss": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "modified_huber": lambda: SGDClassifier(loss="modified_huber", random_state=0),
    "LDA": LinearDiscriminantAnalysis,
    "QDA": QuadraticDiscriminantAnalysis,
    "LogisticRegression": LogisticRegression,
    "GaussianNB": GaussianNB,
    "LinearSVC": LinearSVC,
    "SVC": SVC,
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", SCORES)
def test_probabilities_and_scores_of_a_member_agree(name, y, dtype, same):
    rows = X.astype(dtype)
    member = fitted(SCORES[name](), rows, y)
    calibrated = CalibratedClassifierCV(FrozenEstimator(member)).fit(rows, y)
    same(calibrated, to_onnx(calibrated, rows), rows)
    if hasattr(member, "predict_proba"):
        members = [("net", net()), ("member", FrozenEstimator(member))]
        vote = VotingClassifier(members, voting="soft").fit(rows, y)
        same(vote, to_onnx(vote, rows), rows)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_rows_without_a_score_get_equal_probabilities(loss, same):
    model = SGDClassifier(loss=loss, random_state=0).fit(X, THREE)
    model.intercept_ -= 1e4  # every score far below zero
    member = FrozenEstimator(model)
    vote = VotingClassifier([("a", member)], voting="soft").fit(X, THREE)
    np.testing.assert_allclose(vote.predict_proba(X), 1 / 3)
    export = to_onnx(vote, X)
    same(vote, export, X)


# KNNImputer, which skl2onnx writes with functions

GAPS = X.copy()
GAPS[rng.random(X.shape) < 0.2] = np.nan
GAPS[5] = np.nan
GAPS = np.column_stack([GAPS, np.full(len(X), np.nan)])
IMPUTERS = {
    "defaults": {},
    "by distance": {"weights": "distance"},
    "one neighbour": {"n_neighbors": 1},
    "more neighbours than rows": {"n_neighbors": 500},
    "empty columns and marks": {"keep_empty_features": True, "add_indicator": True},
}


@pytest.mark.parametrize("name", IMPUTERS)
def test_a_network_after_a_knn_imputer(name, same, transform):
    model = make_pipeline(KNNImputer(**IMPUTERS[name]), net())
    model = fitted(model, GAPS, THREE)
    rows = np.concatenate([GAPS[::3], GAPS[:1] * np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the column without values
        np.testing.assert_allclose(
            transform(model[0], rows), model[0].transform(rows), rtol=1e-6
        )
    same(model, to_onnx(model, GAPS), rows)
    proto = skl2onnx.to_onnx(model, GAPS, options={"zipmap": False})
    assert not proto.functions
    same(model, proto, rows)


@pytest.mark.parametrize("dtype", DTYPES)
def test_missing_values_marked_by_a_number_are_imputed(dtype, same):
    rows = np.where(np.isnan(GAPS[:, :4]), -1, GAPS[:, :4]).astype(dtype)
    model = make_pipeline(KNNImputer(missing_values=-1), net()).fit(rows, THREE)
    same(model, to_onnx(model, rows), rows)


def test_user_functions_in_an_imputer_are_refused():
    def ones(distances):
        return np.ones_like(distances)

    model = make_pipeline(KNNImputer(weights=ones), net())
    with pytest.raises(OnnxExportError, match="'uniform' or 'distance'"):
        to_onnx(fitted(model, GAPS, THREE), GAPS)


# All estimators of skl2onnx


def _made(cls):
    parameters = inspect.signature(cls.__init__).parameters
    small = {
        "n_components": 2,
        "n_estimators": 3,
        "n_clusters": 3,
        "random_state": 0,
        "cv": 2,
        "estimator": Ridge() if is_regressor_class(cls) else LogisticRegression(),
        "estimators": [
            ("a", Ridge() if is_regressor_class(cls) else LogisticRegression())
        ],
        "novelty": True,
    }
    return cls(**{name: value for name, value in small.items() if name in parameters})


def is_regressor_class(cls):
    return cls.__name__.endswith(("Regressor", "RegressorCV"))


KNOWN = sorted(
    (cls for _, cls in all_estimators() if cls in sklearn_operator_name_map),
    key=lambda cls: cls.__name__,
)
PLACES = [
    (cls, place)
    for cls in KNOWN
    for place in ("alone", "end", "middle")
    if place != "middle" or hasattr(cls, "transform")
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cls", "place"), PLACES, ids=[f"{cls.__name__}, {place}" for cls, place in PLACES]
)
def test_all_estimators_of_skl2onnx_agree_or_are_refused(cls, place, same):
    rows = X.astype(np.float32)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes that will be removed
            step = _made(cls)
        y = NUMBERS if is_regressor(step) else THREE
        last = MLPRegressor if is_regressor(step) else MLPClassifier
        model = {
            "alone": step,
            "end": make_pipeline(StandardScaler(), step),
            "middle": make_pipeline(step, last((4,), max_epochs=1, random_state=0)),
        }[place]
        model = fitted(model, rows, y)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        pytest.skip(f"cannot be fitted there: {error}")
    try:
        export = to_onnx(model, rows)
    except OnnxParityError:
        assert place != "middle", "another output than that of transform"
    except OnnxExportError:
        pass
    else:
        if hasattr(model, "predict") and not hasattr(model, "fit_predict"):
            same(model, export, rows, tolerance=1e-5)
