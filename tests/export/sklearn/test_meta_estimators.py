"""Export of searches, calibration, ensembles and other meta-estimators.

All go through ``sklearn_deep.to_onnx``, and through skl2onnx's own function.
"""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import skl2onnx
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    OnnxClassifier,
    ValidationHoldout,
    to_onnx,
)
from sklearn_deep.exceptions import OnnxExportError


def network(**changes):
    return MLPClassifier((8,), **{"max_epochs": 2, "random_state": 0, **changes})


def regressor(**changes):
    return MLPRegressor((8,), **{"max_epochs": 2, "random_state": 0, **changes})


def behind_scaler(estimator):
    return make_pipeline(StandardScaler(), estimator)


def fit(model, X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about tiny folds and few epochs
        return model.fit(X, y, **options)


def draw(n_classes, n=80, seed=0):
    X, y = make_classification(
        n, 6, n_informative=4, n_classes=n_classes, random_state=seed
    )
    return X, y


NAMES = np.array(["no", "yes", "unsure", "never"])
LABELS = {
    "binary": lambda: draw(2),
    "binary strings": lambda: (draw(2)[0], NAMES[draw(2)[1]]),
    "multiclass": lambda: draw(3),
    "multiclass strings": lambda: (draw(3)[0], NAMES[draw(3)[1]]),
}
FRESH = np.random.default_rng(7).normal(size=(30, 6)) * 2


def assert_exports(model, X, y, same, fresh=FRESH, through_skl2onnx=True):
    """Fit, export with both functions, and compare on the rows of the fit and new ones."""
    fit(model, X, y)
    export = to_onnx(model, X)
    same(model, export, X)
    same(model, export, fresh)
    if through_skl2onnx:
        options = {"zipmap": False} if hasattr(model, "classes_") else None
        theirs = skl2onnx.to_onnx(model, X[:1], options=options)
        same(model, theirs, fresh)
    return export


# Classifiers

GRID = {"mlpclassifier__dropout": [0.0, 0.2]}
tree = partial(DecisionTreeClassifier, max_depth=3, random_state=0)
logistic = partial(LogisticRegression, max_iter=1000)


def pipe(**changes):
    return behind_scaler(network(**changes))


CLASSIFIERS = {
    "grid": lambda: GridSearchCV(pipe(), GRID, cv=2),
    "random": lambda: RandomizedSearchCV(pipe(), GRID, n_iter=2, cv=2),
    "halving": lambda: HalvingGridSearchCV(pipe(), GRID, cv=2, random_state=0),
    "halving random": lambda: HalvingRandomSearchCV(pipe(), GRID, cv=2, random_state=0),
    "sigmoid": lambda: CalibratedClassifierCV(pipe(), cv=2),
    "sigmoid, one": lambda: CalibratedClassifierCV(pipe(), cv=2, ensemble=False),
    "isotonic": lambda: CalibratedClassifierCV(pipe(), method="isotonic", cv=2),
    "isotonic, one": lambda: CalibratedClassifierCV(
        pipe(), method="isotonic", cv=2, ensemble=False
    ),
    "calibrated trees and network": lambda: CalibratedClassifierCV(
        VotingClassifier([("n", pipe()), ("t", tree())], voting="soft"), cv=2
    ),
    "soft votes": lambda: VotingClassifier(
        [("a", pipe()), ("b", logistic()), ("c", tree())],
        voting="soft",
        weights=[1, 2.5, 0.5],
    ),
    "soft votes, unweighted": lambda: VotingClassifier(
        [("a", pipe()), ("b", tree())], voting="soft", flatten_transform=False
    ),
    "hard votes": lambda: VotingClassifier(
        [("a", pipe()), ("b", logistic()), ("c", tree())]
    ),
    "hard votes, weights": lambda: VotingClassifier(
        [("a", pipe()), ("z", "drop"), ("b", logistic()), ("c", Perceptron())],
        weights=[2, 9, 1, 0.5],
        flatten_transform=False,
    ),
    "stack": lambda: StackingClassifier([("a", pipe()), ("b", logistic())], cv=2),
    "stack, passthrough": lambda: StackingClassifier(
        [("a", pipe()), ("t", tree())],
        cv=2,
        passthrough=True,
        final_estimator=network(),
    ),
    "stack, probabilities": lambda: StackingClassifier(
        [("a", pipe()), ("z", "drop")], cv=2, stack_method="predict_proba"
    ),
    "stack, decisions": lambda: StackingClassifier(
        [("a", pipe()), ("s", LinearSVC()), ("r", RidgeClassifier())],
        cv=2,
        stack_method="decision_function",
    ),
    "stack, labels": lambda: StackingClassifier(
        [("a", pipe()), ("t", tree())], cv=2, stack_method="predict"
    ),
    "stack, linear end": lambda: StackingClassifier(
        [("a", pipe())], cv=2, final_estimator=LinearSVC()
    ),
    "stack, forest of linear ones": lambda: StackingClassifier(
        [("a", SGDClassifier(random_state=0)), ("b", RidgeClassifier())],
        cv=2,
        final_estimator=pipe(),
    ),
    "bag": lambda: BaggingClassifier(pipe(), n_estimators=3, random_state=0),
    "bag, half of the columns": lambda: BaggingClassifier(
        pipe(), n_estimators=3, max_features=0.5, random_state=0
    ),
    "bag, columns drawn twice": lambda: BaggingClassifier(
        pipe(), n_estimators=3, bootstrap_features=True, random_state=0
    ),
    "bag of few rows": lambda: BaggingClassifier(
        pipe(), n_estimators=4, max_samples=8, random_state=1
    ),
    "boosted": lambda: AdaBoostClassifier(
        pipe_with_weights(), n_estimators=3, random_state=0
    ),
    "one against the rest": lambda: OneVsRestClassifier(pipe()),
    "one against one": lambda: OneVsOneClassifier(pipe()),
    "frozen": lambda: "frozen",
    "holdout": lambda: ValidationHoldout(pipe(), random_state=0),
    "in one another": lambda: GridSearchCV(
        CalibratedClassifierCV(
            VotingClassifier(
                # With rows held out, a probability of the fit is an exact tie.
                [
                    ("a", pipe(early_stopping=False)),
                    (
                        "b",
                        BaggingClassifier(
                            pipe(early_stopping=False), n_estimators=2, random_state=0
                        ),
                    ),
                ],
                voting="soft",
            ),
            cv=2,
        ),
        {"method": ["isotonic"]},
        cv=2,
    ),
    "votes of holdouts": lambda: VotingClassifier(
        [("a", ValidationHoldout(pipe(), random_state=0)), ("b", pipe())], voting="soft"
    ),
    "stack of stacks": lambda: StackingClassifier(
        [("s", StackingClassifier([("a", pipe())], logistic(), cv=2)), ("b", tree())],
        cv=2,
        final_estimator=OneVsRestClassifier(network()),
    ),
    "a pipeline that ends in votes": lambda: make_pipeline(
        MinMaxScaler(),
        VotingClassifier([("a", network()), ("b", tree())], voting="soft"),
    ),
}


def pipe_with_weights():
    return network(max_epochs=30)


def pairwise(names, kinds, per_name):
    """Pair each name with some of the kinds, so that each kind has several names."""
    kinds = list(kinds)
    step = len(kinds) // per_name
    return [
        pytest.param(name, kinds[(i + k * step) % len(kinds)])
        for i, name in enumerate(names)
        for k in range(per_name)
    ]


# Rules differ between two classes and more, but not between strings and numbers: so
# neighbouring kinds differ in the number of classes.
@pytest.mark.oldest
@pytest.mark.parametrize(("name", "kind"), pairwise(CLASSIFIERS, LABELS, 2))
def test_a_classifier_around_networks_is_exported(name, kind, same):
    X, y = LABELS[kind]()
    model = CLASSIFIERS[name]()
    if model == "frozen":
        model = FrozenEstimator(fit(pipe(), X, y))
    assert_exports(model, X, y, same)


@pytest.mark.parametrize(
    "name",
    [
        "grid",
        "sigmoid",
        "soft votes",
        "hard votes",
        "stack, passthrough",
        "bag",
        "boosted",
        "one against the rest",
        "one against one",
    ],
)
def test_a_classifier_of_float32_rows_is_exported(name, same):
    X, y = draw(3)
    X = X.astype(np.float32)
    model = CLASSIFIERS[name]()
    assert_exports(model, X, y, same, X * np.float32(1.5), through_skl2onnx=False)


def test_isotonic_calibration_may_magnify_float32_rounding(same):
    X, y = draw(3)
    X = X.astype(np.float32)
    model = fit(CLASSIFIERS["isotonic"](), X, y)
    export = to_onnx(model, X, tolerance=1e-3)
    same(model, export, X * np.float32(1.5), tolerance=1e-3)


LABEL_KINDS = {
    "bool": lambda y: y > 0,
    "float": lambda y: y * 1.0,
    "negative": lambda y: y.astype(np.int32) * 2 - 1,
    "uint8": lambda y: y.astype(np.uint8) + 3,
    "objects": lambda y: NAMES[y].astype(object),
    "unicode": lambda y: np.array(["größer", "年"])[y],
    "long and short": lambda y: np.array(["a", "a much longer one"])[y],
}


@pytest.mark.parametrize(
    ("name", "kind"),
    pairwise(
        [
            "grid",
            "sigmoid",
            "soft votes",
            "hard votes",
            "stack",
            "bag",
            "boosted",
            "one against the rest",
            "one against one",
        ],
        LABEL_KINDS,
        3,
    ),
)
def test_labels_of_any_type_agree(name, kind, same):
    X, y = draw(2)
    assert_exports(CLASSIFIERS[name](), X, LABEL_KINDS[kind](y), same, FRESH[:5])


# Calibration


def calibrates_by_temperature():
    X, y = draw(2)
    try:
        CalibratedClassifierCV(LogisticRegression(), method="temperature", cv=2).fit(
            X, y
        )
    except ValueError:
        return False
    return True


@pytest.mark.skipif(
    not calibrates_by_temperature(), reason="this scikit-learn has no temperature"
)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("ensemble", [True, False])
def test_temperatures_are_applied(kind, ensemble, same):
    X, y = LABELS[kind]()
    for inner in (
        pipe(),
        VotingClassifier([("a", pipe()), ("b", tree())], voting="soft"),
    ):
        model = CalibratedClassifierCV(
            inner, method="temperature", cv=2, ensemble=ensemble
        )
        assert_exports(model, X, y, same)


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_frozen_network_is_calibrated(kind, method, same):
    X, y = LABELS[kind]()
    frozen = FrozenEstimator(fit(behind_scaler(network(random_state=5)), X, y))
    assert_exports(CalibratedClassifierCV(frozen, method=method), X, y, same)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize(("n_classes", "lacks"), [(3, "no"), (3, "yes"), (4, "no")])
def test_calibration_agrees_if_folds_lack_a_class(n_classes, lacks, method, same):
    X, y = draw(n_classes, n=120)
    even = np.arange(len(y)) % 2 == 0
    lacking = np.flatnonzero(even & (NAMES[y] != lacks))
    rest = np.flatnonzero(~even)
    folds = [(lacking, rest), (rest, np.flatnonzero(even))]
    model = CalibratedClassifierCV(pipe(), method=method, cv=folds)
    fit(model, X, NAMES[y])
    seen = [len(part.estimator.classes_) for part in model.calibrated_classifiers_]
    assert min(seen) == n_classes - 1
    same(model, to_onnx(model, X), FRESH)


def test_scores_beyond_the_calibration_get_the_outer_probabilities(same):
    X, y = draw(2)
    model = fit(CalibratedClassifierCV(pipe(), method="isotonic", cv=2), X, y)
    same(model, to_onnx(model, X), np.concatenate([X * 50, X * -50]))


# Ensembles


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_votes_do_not_depend_on_how_they_would_be_transformed(voting, flatten, same):
    X, y = draw(3)
    model = VotingClassifier(
        [("a", pipe()), ("b", logistic())], voting=voting, flatten_transform=flatten
    )
    assert_exports(model, X, y, same)


def test_tied_hard_votes_give_the_first_class(same):
    X, y = draw(3)
    members = [("a", pipe()), ("b", logistic()), ("c", tree()), ("d", Perceptron())]
    assert_exports(VotingClassifier(members), X, NAMES[y], same, FRESH * 3)


# Rows far from the training rows, with probabilities such as 1e-243

FAR = np.concatenate(
    [
        np.random.default_rng(power).normal(size=(300, 6)) * 10.0**power
        for power in range(1, 6)
    ]
)
far_network = partial(network, activation="relu", max_epochs=10)
by_sgd = partial(SGDClassifier, "log_loss", random_state=0)
SHARES = {
    "one against the rest": lambda: OneVsRestClassifier(far_network()),
    "one against another": lambda: OneVsOneClassifier(far_network()),
    "sigmoid": lambda: CalibratedClassifierCV(far_network(), cv=2),
    "one sigmoid": lambda: CalibratedClassifierCV(far_network(), cv=2, ensemble=False),
    "logistic against the rest": lambda: VotingClassifier(
        [("net", far_network()), ("lines", OneVsRestClassifier(logistic()))],
        voting="soft",
    ),
    "lines": lambda: VotingClassifier(
        [("net", far_network()), ("lines", by_sgd())], voting="soft"
    ),
    "bags": lambda: BaggingClassifier(
        OneVsRestClassifier(far_network()), n_estimators=2, random_state=0
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SHARES)
def test_normalised_tiny_probabilities_agree(name, dtype, run):
    X, y = draw(3)
    model = fit(behind_scaler(SHARES[name]()), X.astype(dtype), y)
    rows = FAR.astype(dtype)
    label, scores = run(to_onnx(model, X.astype(dtype)), rows).values()
    method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
    expected = getattr(model, method)(rows)
    rounding = 1e-9 if dtype == np.float64 else 2e-3
    np.testing.assert_allclose(scores, expected, rtol=rounding, atol=rounding)
    best = np.sort(expected, axis=1)
    apart = best[:, -1] - best[:, -2] > 2 * rounding
    assert apart.mean() > 0.3
    np.testing.assert_array_equal(label[apart], model.predict(rows)[apart])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_tiny_probabilities_are_exact(n_classes, run):
    X, y = draw(n_classes)
    model = fit(behind_scaler(far_network()), X, y)
    shares = run(to_onnx(model, X), FAR)["probabilities"]
    expected = model.predict_proba(FAR)
    assert 0 < expected[expected > 0].min() < 1e-100
    normal = expected > 1e-300
    np.testing.assert_allclose(shares[normal], expected[normal], rtol=1e-9)


def test_prefitted_members_are_stacked(same):
    X, y = draw(3)
    members = [("a", fit(pipe(), X, y)), ("b", logistic().fit(X, y))]
    model = StackingClassifier(members, cv="prefit", final_estimator=network())
    assert_exports(model, X, y, same)


@pytest.mark.parametrize("method", ["auto", "predict_proba", "predict"])
@pytest.mark.parametrize("passthrough", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_stacks_agree_for_every_stack_method_and_passthrough(
    n_classes, passthrough, method, same
):
    X, y = draw(n_classes)
    model = StackingClassifier(
        [("a", pipe()), ("b", tree())],
        final_estimator=pipe(),
        stack_method=method,
        passthrough=passthrough,
        cv=2,
    )
    assert_exports(model, X, y, same)


def test_a_stack_by_predict_with_string_labels_agrees(same):
    X, y = draw(3)
    model = StackingClassifier([("a", pipe())], cv=2, stack_method="predict")
    assert_exports(model, X, NAMES[y], same)


def test_a_class_missing_in_a_bag_gets_no_vote(same):
    X, y = draw(3, n=120)
    y[y == 2] = np.where(np.arange((y == 2).sum()) < 4, 2, 0)
    model = BaggingClassifier(pipe(), n_estimators=5, max_samples=15, random_state=0)
    fit(model, X, NAMES[y])
    assert min(len(part.classes_) for part in model.estimators_) == 2
    same(model, to_onnx(model, X), FRESH)


def test_bagging_without_probabilities_counts_votes(same):
    X, y = draw(3)
    member = OneVsRestClassifier(RidgeClassifier())
    bag = BaggingClassifier(member, n_estimators=3, random_state=0)
    model = VotingClassifier([("bag", bag), ("a", pipe())])
    assert_exports(model, X, y, same, through_skl2onnx=False)


@pytest.mark.parametrize("kind", LABELS)
def test_boosting_of_networks_agrees(kind, same):
    X, y = LABELS[kind]()
    member = network(max_epochs=60, learning_rate=0.05)
    model = AdaBoostClassifier(member, n_estimators=4, random_state=0)
    assert_exports(model, X, y, same)
    assert len(model.estimators_) >= 1


# One network per class


@pytest.mark.parametrize("constant", [0, 1])
def test_a_label_that_all_rows_share_is_constant(constant, same):
    X, Y = make_multilabel_classification(60, 6, n_classes=4, random_state=0)
    Y[:, 2] = constant
    model = OneVsRestClassifier(pipe())
    assert_exports(model, X, Y, same, np.abs(FRESH) * 9)


def test_multilabel_networks_and_one_vs_rest_agree(same):
    X, Y = make_multilabel_classification(60, 6, n_classes=4, random_state=0)
    for model in (
        pipe(),
        OneVsRestClassifier(pipe()),
        GridSearchCV(pipe(), GRID, cv=2),
    ):
        assert_exports(model, X, Y, same, np.abs(FRESH) * 9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_regressors_in_one_vs_rest_agree(n_classes, same):
    X, y = draw(n_classes)
    model = OneVsRestClassifier(pipe_of())
    assert_exports(model, X, NAMES[y], same, through_skl2onnx=False)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_regressors_in_one_vs_one_agree(n_classes, same):
    X, y = draw(n_classes)
    model = OneVsOneClassifier(pipe_of())
    assert_exports(model, X, NAMES[y], same, through_skl2onnx=False)


# Several targets


def targets(n_classes=3):
    X, y = draw(n_classes)
    return X, np.stack([y, y[::-1], np.roll(y, 7)], 1)


@pytest.mark.parametrize(
    "kind",
    [
        "ints",
        "strings",
        "bools",
        "of other counts",
    ],
)
def test_a_classifier_of_several_targets_is_exported(kind, same):
    X, Y = targets()
    Y = {
        "ints": Y,
        "strings": NAMES[Y],
        "bools": Y > 0,
        "of other counts": np.stack([Y[:, 0], Y[:, 1] > 0, Y[:, 2]], 1),
    }[kind]
    assert_exports(MultiOutputClassifier(pipe()), X, Y, same)


def test_a_search_around_several_targets_is_exported(same):
    X, Y = targets()
    model = GridSearchCV(
        MultiOutputClassifier(pipe()),
        {"estimator__mlpclassifier__dropout": [0.1]},
        cv=2,
        scoring=lambda model, X, y: 0.0,
    )
    assert_exports(model, X, Y, same, through_skl2onnx=False)


# Thresholds

THRESHOLDS = {
    "tuned": lambda y: TunedThresholdClassifierCV(pipe(), cv=2),
    "tuned for the first class": lambda y: TunedThresholdClassifierCV(
        pipe(), cv=2, scoring=make_scorer(f1_score, pos_label=np.unique(y)[0])
    ),
    "tuned decisions": lambda y: TunedThresholdClassifierCV(
        pipe(), cv=2, response_method="decision_function"
    ),
    "tuned, frozen": lambda y: TunedThresholdClassifierCV(
        FrozenEstimator(fit(pipe(), draw(2)[0], y)), cv="prefit", refit=False
    ),
    "tuned on a part": lambda y: TunedThresholdClassifierCV(
        pipe(), cv=0.5, refit=False, random_state=0
    ),
    "fixed": lambda y: FixedThresholdClassifier(pipe(), threshold=0.3),
    "fixed, auto": lambda y: FixedThresholdClassifier(pipe()),
    "fixed, second class": lambda y: FixedThresholdClassifier(
        pipe(), threshold=0.6, pos_label=np.unique(y)[1]
    ),
    "fixed, first class": lambda y: FixedThresholdClassifier(
        pipe(), threshold=0.3, pos_label=np.unique(y)[0]
    ),
    "fixed, decisions": lambda y: FixedThresholdClassifier(
        pipe(), threshold=0.2, response_method="decision_function"
    ),
    "fixed, decisions of the first class": lambda y: FixedThresholdClassifier(
        pipe(),
        threshold=0.2,
        pos_label=np.unique(y)[0],
        response_method="decision_function",
    ),
    "fixed, probabilities": lambda y: FixedThresholdClassifier(
        pipe(), response_method="predict_proba"
    ),
    "fixed, calibrated": lambda y: FixedThresholdClassifier(
        CalibratedClassifierCV(pipe(), cv=2), threshold=0.45
    ),
    "fixed, in a search": lambda y: GridSearchCV(
        FixedThresholdClassifier(pipe()), {"threshold": [0.2, 0.7]}, cv=2
    ),
}


@pytest.mark.parametrize("kind", ["binary", "binary strings"])
@pytest.mark.parametrize("name", THRESHOLDS)
def test_thresholds_are_kept(name, kind, same):
    X, y = LABELS[kind]()
    assert_exports(THRESHOLDS[name](y), X, y, same)


def test_extreme_thresholds_give_one_class(same):
    X, y = draw(2)
    for threshold in (0.0, 1.1):
        model = FixedThresholdClassifier(pipe(), threshold=threshold)
        assert_exports(model, X, NAMES[y], same)
        assert len(set(model.predict(X))) == 1


# Regressors


def lines(n_targets=1, seed=0, n=80):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    Y = np.exp(X[:, :n_targets] * 0.3) * 40 + np.abs(X[:, 3:4]) * 5 + 1
    return X, Y[:, 0] if n_targets == 1 else Y


def pipe_of(**changes):
    return behind_scaler(regressor(**changes))


stump = partial(DecisionTreeRegressor, max_depth=3, random_state=0)

REGRESSORS = {
    "grid": lambda: GridSearchCV(pipe_of(), {"mlpregressor__dropout": [0.0]}, cv=2),
    "random": lambda: RandomizedSearchCV(
        pipe_of(), {"mlpregressor__dropout": [0.0, 0.1]}, n_iter=2, cv=2
    ),
    "halving": lambda: HalvingRandomSearchCV(
        pipe_of(), {"mlpregressor__dropout": [0.0, 0.1]}, cv=2, random_state=0
    ),
    "bag": lambda: BaggingRegressor(
        pipe_of(), n_estimators=3, max_features=0.7, random_state=0
    ),
    "bag, columns drawn twice": lambda: BaggingRegressor(
        pipe_of(), n_estimators=3, bootstrap_features=True, random_state=0
    ),
    "holdout": lambda: ValidationHoldout(pipe_of(), random_state=0),
    "gaussian": lambda: GridSearchCV(
        pipe_of(loss="gaussian"), {"mlpregressor__dropout": [0.0]}, cv=2
    ),
    "gaussian holdout": lambda: ValidationHoldout(
        pipe_of(loss="gaussian"), random_state=0
    ),
    "identity": lambda: TransformedTargetRegressor(pipe_of()),
    "log": lambda: TransformedTargetRegressor(
        pipe_of(), func=np.log1p, inverse_func=np.expm1
    ),
    "log10": lambda: TransformedTargetRegressor(
        pipe_of(), func=np.log2, inverse_func=np.exp2
    ),
    "root": lambda: TransformedTargetRegressor(
        pipe_of(), func=np.sqrt, inverse_func=np.square
    ),
    "function": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=FunctionTransformer(np.log, np.exp)
    ),
    "standard": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=StandardScaler()
    ),
    "min max": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=MinMaxScaler()
    ),
    "max abs": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=MaxAbsScaler()
    ),
    "robust": lambda: TransformedTargetRegressor(pipe_of(), transformer=RobustScaler()),
    "power": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=PowerTransformer()
    ),
    "box-cox": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=PowerTransformer("box-cox", standardize=False)
    ),
    "quantile": lambda: TransformedTargetRegressor(
        pipe_of(), transformer=QuantileTransformer(n_quantiles=30)
    ),
    "quantile, normal": lambda: TransformedTargetRegressor(
        pipe_of(),
        transformer=QuantileTransformer(n_quantiles=30, output_distribution="normal"),
    ),
    "pipeline of targets": lambda: TransformedTargetRegressor(
        pipe_of(),
        transformer=make_pipeline(
            FunctionTransformer(np.log1p, np.expm1), "passthrough", StandardScaler()
        ),
    ),
}
ONE_TARGET = {
    "votes": lambda: VotingRegressor(
        [("a", pipe_of()), ("b", Ridge()), ("z", "drop"), ("t", stump())],
        weights=[1, 2, 7, 3],
    ),
    "votes, unweighted": lambda: VotingRegressor([("a", pipe_of()), ("b", Ridge())]),
    "stack": lambda: StackingRegressor([("a", pipe_of()), ("b", Ridge())], cv=2),
    "stack, passthrough": lambda: StackingRegressor(
        [("a", pipe_of()), ("t", stump())],
        cv=2,
        passthrough=True,
        final_estimator=regressor(),
    ),
    "boosted": lambda: AdaBoostRegressor(pipe_of(), n_estimators=5, random_state=0),
    "boosted, square": lambda: AdaBoostRegressor(
        pipe_of(), n_estimators=4, loss="square", random_state=0
    ),
    "in one another": lambda: GridSearchCV(
        TransformedTargetRegressor(
            VotingRegressor(
                [
                    ("a", pipe_of()),
                    ("b", BaggingRegressor(pipe_of(), n_estimators=2, random_state=0)),
                ]
            ),
            transformer=PowerTransformer(),
        ),
        {"regressor__weights": [[1, 2]]},
        cv=2,
    ),
}
SEVERAL_TARGETS = {
    "one a target": lambda: MultiOutputRegressor(pipe_of()),
    "one a target, searched": lambda: GridSearchCV(
        MultiOutputRegressor(pipe_of()),
        {"estimator__mlpregressor__dropout": [0.0]},
        cv=2,
    ),
    "votes each": lambda: MultiOutputRegressor(
        VotingRegressor([("a", pipe_of()), ("b", LinearRegression())])
    ),
}


@pytest.mark.parametrize("name", [*REGRESSORS, *ONE_TARGET])
def test_a_regressor_around_networks_is_exported(name, same):
    X, y = lines()
    model = {**REGRESSORS, **ONE_TARGET}[name]()
    assert_exports(model, X, y, same, lines(seed=1)[0])


@pytest.mark.parametrize("name", [*REGRESSORS, *SEVERAL_TARGETS])
def test_a_regressor_of_several_targets_is_exported(name, same):
    X, Y = lines(2)
    model = {**REGRESSORS, **SEVERAL_TARGETS}[name]()
    assert_exports(model, X, Y, same, lines(seed=1)[0])


@pytest.mark.parametrize("name", ["grid", "bag", "log", "votes", "stack", "boosted"])
def test_a_regressor_of_float32_rows_is_exported(name, same):
    X, y = lines()
    X = X.astype(np.float32)
    model = {**REGRESSORS, **ONE_TARGET}[name]()
    fresh = lines(seed=1)[0].astype(np.float32)
    assert_exports(model, X, y, same, fresh, through_skl2onnx=False)


@pytest.mark.parametrize("name", ["grid", "standard", "power", "bag", "holdout"])
def test_a_target_of_shape_n_1_keeps_its_shape(name, same):
    X, y = lines()
    model = fit(REGRESSORS[name](), X, y[:, None])
    export = to_onnx(model, X)
    same(model, export, lines(seed=1)[0])


def test_a_frozen_regressor_is_exported(same):
    X, y = lines()
    for loss in ("squared_error", "gaussian", "poisson"):
        model = FrozenEstimator(fit(pipe_of(loss=loss), X, y))
        assert_exports(model, X, y, same, lines(seed=1)[0])


def test_a_target_function_without_an_inverse_in_onnx_is_refused():
    X, y = lines()
    model = TransformedTargetRegressor(
        pipe_of(), func=np.arctan, inverse_func=np.tan, check_inverse=False
    )
    with pytest.raises(OnnxExportError, match="tan has no ONNX form"):
        to_onnx(fit(model, X, y), X)


# Frames


def people(n=80, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "size": rng.normal(size=n).astype(np.float32),
            "city": rng.choice(["Bern", "Oslo", "Quito"], n),
        }
    )


def by_columns(estimator):
    columns = ColumnTransformer(
        [
            ("n", StandardScaler(), ["age", "size"]),
            ("c", OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ]
    )
    return make_pipeline(columns, estimator)


def new_rows():
    return people(seed=1).replace({"city": {"Bern": "Rome"}})


FRAMED = {
    "grid": lambda p: GridSearchCV(p, {"mlpclassifier__dropout": [0.0, 0.1]}, cv=2),
    "calibrated": lambda p: CalibratedClassifierCV(p, cv=2),
    "votes": lambda p: VotingClassifier([("a", p), ("b", clone(p))], voting="soft"),
    "hard votes": lambda p: VotingClassifier([("a", p), ("b", clone(p))]),
    "stack": lambda p: StackingClassifier([("a", p)], cv=2),
    "one against the rest": lambda p: OneVsRestClassifier(p),
    "one a target": lambda p: MultiOutputClassifier(p),
    "threshold": lambda p: FixedThresholdClassifier(p, threshold=0.4),
    "tuned": lambda p: TunedThresholdClassifierCV(p, cv=2),
    "holdout": lambda p: ValidationHoldout(p, random_state=0),
    "all of them": lambda p: FixedThresholdClassifier(
        CalibratedClassifierCV(VotingClassifier([("a", p)], voting="soft"), cv=2)
    ),
}


@pytest.mark.parametrize("name", FRAMED)
def test_a_wrapper_around_a_pipeline_accepts_frames(name, same, inputs):
    frame = people()
    y = np.arange(80) % 2
    Y = np.stack([y, y[::-1]], 1) if name == "one a target" else y
    model = fit(FRAMED[name](by_columns(network())), frame, Y)
    export = to_onnx(model, frame)
    assert list(inputs(export)) == ["age", "size", "city"]
    same(model, export, new_rows())


@pytest.mark.parametrize(
    "make",
    [
        lambda: CalibratedClassifierCV(network(), cv=2),
        lambda: VotingClassifier([("a", network()), ("b", logistic())], voting="soft"),
        lambda: BaggingClassifier(network(), n_estimators=2, random_state=0),
        lambda: StackingClassifier([("a", network())], cv=2, passthrough=True),
        lambda: OneVsOneClassifier(network()),
        lambda: GridSearchCV(network(), {"dropout": [0.0, 0.1]}, cv=2),
    ],
    ids=["calibrated", "votes", "bag", "stack", "one against one", "search"],
)
def test_a_wrapper_after_a_column_transformer_accepts_frames(make, same):
    frame, y = people(), NAMES[np.arange(80) % 3]
    model = fit(by_columns(make()), frame, y)
    same(model, to_onnx(model, frame), new_rows())


def test_a_regressor_with_a_transformed_target_takes_frames(same):
    frame = people()
    inner = by_columns(regressor())
    model = TransformedTargetRegressor(inner, func=np.log, inverse_func=np.exp)
    fit(model, frame, frame["age"])
    same(model, to_onnx(model, frame), new_rows())


def test_bagging_over_columns_of_a_frame_agrees(same):
    frame = people()[["age", "size"]].assign(more=np.arange(80.0))
    bag = BaggingClassifier(pipe(), n_estimators=3, max_features=2, random_state=0)
    model = fit(bag, frame, np.arange(80) % 2)
    same(model, to_onnx(model, frame), frame[::-3])


# Unsupported


CHAINS = {
    "ClassifierChain": lambda: ClassifierChain(pipe()),
    "RegressorChain": lambda: RegressorChain(pipe_of()),
    "OutputCodeClassifier": lambda: OutputCodeClassifier(pipe(), random_state=0),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_and_codes_are_refused_by_name(name):
    model = CHAINS[name]()
    if name == "OutputCodeClassifier":
        X, y = draw(3)
    elif name == "RegressorChain":
        X, y = lines(2)
    else:
        X, y = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    fit(model, X, y)
    with pytest.raises(OnnxExportError, match=f"{name} has no ONNX form"):
        to_onnx(model, X)
    with pytest.raises(OnnxExportError, match=f"{name} has no ONNX form"):
        skl2onnx.to_onnx(model, X[:1])


def test_the_error_names_the_step_of_a_chain():
    X, Y = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    model = fit(make_pipeline(MinMaxScaler(), ClassifierChain(network())), X, Y)
    with pytest.raises(OnnxExportError, match=r"'classifierchain'.*ClassifierChain"):
        to_onnx(model, X)


def test_the_error_for_a_search_without_refit_names_the_fix():
    X, y = draw(2)
    model = fit(GridSearchCV(pipe(), GRID, cv=2, refit=False), X, y)
    with pytest.raises(OnnxExportError, match=r"refit=False.*Set refit=True"):
        to_onnx(model, X)


@pytest.mark.parametrize(
    "model",
    [
        network(),
        pipe(),
        GridSearchCV(pipe(), GRID),
        CalibratedClassifierCV(pipe()),
        VotingClassifier([("a", pipe())]),
        StackingClassifier([("a", pipe())]),
        BaggingClassifier(pipe()),
        AdaBoostClassifier(network()),
        OneVsRestClassifier(pipe()),
        MultiOutputClassifier(pipe()),
        FixedThresholdClassifier(pipe()),
        FrozenEstimator(pipe()),
        ValidationHoldout(pipe()),
        TransformedTargetRegressor(pipe_of()),
        regressor(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_an_estimator_that_is_not_fitted_is_refused(model):
    with pytest.raises(NotFittedError):
        to_onnx(model, FRESH)


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer without a converter."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.asarray(X) * 2


def test_the_error_names_a_step_without_converter_and_its_class():
    X, y = draw(2)
    model = fit(make_pipeline(StandardScaler(), Doubled(), network()), X, y)
    with pytest.raises(
        OnnxExportError, match="Step 'doubled': Doubled has no ONNX form"
    ):
        to_onnx(model, X)
    with pytest.raises(
        OnnxExportError, match="Step 'doubled': Doubled has no ONNX form"
    ):
        skl2onnx.to_onnx(model, X[:1])


def test_the_error_names_a_transformer_without_converter_in_its_columns():
    frame = people()[["age", "size"]]
    columns = ColumnTransformer([("twice", make_pipeline(Doubled()), ["age"])])
    model = fit(make_pipeline(columns, network()), frame, np.arange(80) % 2)
    with pytest.raises(
        OnnxExportError, match=r"'columntransformer'.*'twice'.*'doubled': Doubled"
    ):
        to_onnx(model, frame)


def test_the_error_names_a_member_without_converter():
    X, y = draw(2)
    members = [("odd", make_pipeline(Doubled(), logistic())), ("a", pipe())]
    model = fit(VotingClassifier(members, voting="soft"), X, y)
    with pytest.raises(OnnxExportError, match="Doubled has no ONNX form"):
        to_onnx(model, X)


def test_the_error_names_a_member_without_converter_before_columns():
    frame = people()[["age", "city"]]
    y = np.arange(80) % 2
    columns = ColumnTransformer(
        [("o", OneHotEncoder(), ["city"])], remainder=StandardScaler()
    )
    model = fit(make_pipeline(columns, network()), frame, y)
    reader = FrozenEstimator(OnnxClassifier(to_onnx(model, frame).to_bytes()))
    both = fit(VotingClassifier([("a", model), ("b", reader)]), frame, y)
    with pytest.raises(OnnxExportError, match="OnnxClassifier has no ONNX form"):
        to_onnx(both, frame)
