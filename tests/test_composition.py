"""The networks inside everything that scikit-learn puts around an estimator."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from plain_networks import plain_classifier, plain_regressor

pytestmark = pytest.mark.oldest

QUICK = {"batch_size": 32, "max_epochs": 30, "learning_rate": 0.02, "random_state": 0}


@pytest.fixture
def classifier():
    return plain_classifier((8,), **QUICK)


@pytest.fixture
def regressor():
    return plain_regressor((8,), **QUICK)


# Pipelines


def test_a_pipeline_predicts_as_its_steps_one_after_the_other(classifier, iris):
    X, y = iris
    pipe = make_pipeline(StandardScaler(), classifier).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    alone = clone(classifier).fit(scaled, y)
    assert_array_equal(pipe.predict_proba(X), alone.predict_proba(scaled))
    assert pipe.score(X, y) > 0.9


def test_a_column_transformer_feeds_mixed_frames_to_the_network(rng):
    n = 120
    frame = pd.DataFrame(
        {
            "colour": rng.choice(["red", "green", "blue"], n),
            "height": rng.normal(size=n),
            "weight": np.where(np.arange(n) % 7, rng.normal(size=n), np.nan),
        }
    )
    y = np.where(
        frame.colour == "red", "yes", np.where(frame.height > 0, "no", "maybe")
    )
    columns = ColumnTransformer(
        [
            ("one_hot", OneHotEncoder(), ["colour"]),
            (
                "number",
                make_pipeline(SimpleImputer(), StandardScaler()),
                ["height", "weight"],
            ),
        ],
        sparse_threshold=1.0,  # hands a sparse matrix on
    )
    pipe = make_pipeline(columns, plain_classifier((16,), **QUICK)).fit(frame, y)
    assert pipe.score(frame, y) > 0.9
    assert pipe.classes_.tolist() == ["maybe", "no", "yes"]


def test_frames_from_set_output_give_the_network_its_feature_names(classifier, iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipe = make_pipeline(StandardScaler(), classifier).set_output(transform="pandas")
    pipe.fit(frame, y)
    assert pipe[-1].feature_names_in_.tolist() == list("abcd")
    plain = make_pipeline(StandardScaler(), clone(classifier)).fit(X, y)
    assert_allclose(pipe.predict_proba(frame), plain.predict_proba(X), rtol=1e-9)


# Searches


def test_grid_search_tunes_network_arguments_and_refits_the_best(binary):
    X, y = binary
    pipe = make_pipeline(StandardScaler(), plain_classifier((8,), **QUICK))
    grid = {
        "mlpclassifier__learning_rate": [1e-7, 0.02],
        "mlpclassifier__dropout": [0.0, 0.2],
        "mlpclassifier__early_stopping": [False],
    }
    search = GridSearchCV(pipe, grid, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["mlpclassifier__learning_rate"] == 0.02
    again = clone(pipe).set_params(**search.best_params_).fit(X, y)
    assert_array_equal(search.predict_proba(X), again.predict_proba(X))
    scores = search.cv_results_["mean_test_score"]
    assert scores.max() > scores.min() + 0.1


def test_grid_search_tunes_layers_and_nested_dicts(binary):
    X, y = binary
    grid = [
        {"hidden_layer_sizes": [(), 4, [4, 3]], "activation": ["relu", "prelu"]},
        {"activation": ["leaky_relu"], "activation_params": [{"negative_slope": 0.3}]},
        {"class_weight": [{0: 1, 1: 3}, "balanced"], "weight_decay": [0.1]},
    ]
    network = plain_classifier(max_epochs=2, random_state=0)
    search = GridSearchCV(network, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 9
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_randomized_search_draws_from_distributions(regressor, regression):
    X, y = regression
    search = RandomizedSearchCV(
        regressor,
        {"weight_decay": loguniform(1e-5, 1e-1), "hidden_layer_sizes": [(4,), (8,)]},
        n_iter=4,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert len({p["weight_decay"] for p in search.cv_results_["params"]}) == 4
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()


def test_halving_search_takes_epochs_as_its_resource(classifier, iris):
    X, y = iris
    search = HalvingGridSearchCV(
        classifier,
        {"learning_rate": [1e-6, 1e-5, 0.01, 0.02]},
        resource="max_epochs",
        min_resources=5,
        max_resources=20,
        factor=2,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert search.n_resources_ == [5, 10, 20]
    assert search.best_params_["learning_rate"] >= 0.01
    assert search.best_estimator_.n_iter_ <= 20


def test_cross_val_predict_predicts_each_row_with_a_network_that_has_not_seen_it(
    classifier, iris
):
    X, y = iris
    folds = KFold(3, shuffle=True, random_state=0)
    p = cross_val_predict(classifier, X, y, cv=folds, method="predict_proba")
    for train, test in folds.split(X):
        fold = clone(classifier).fit(X[train], y[train])
        assert_array_equal(p[test], fold.predict_proba(X[test]))


@pytest.mark.parametrize(
    "scoring",
    [
        "roc_auc",
        "neg_log_loss",
        "neg_brier_score",
        "average_precision",
    ],
)
def test_scorers_that_need_probabilities_rank_a_network_above_chance(
    classifier, binary, scoring
):
    X, y = binary
    scores, chance = (
        cross_val_score(model, X, y, cv=2, scoring=scoring, error_score="raise").mean()
        for model in (classifier, DummyClassifier())
    )
    assert scores > chance + 0.05


# Meta-estimators


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration_keeps_probabilities_and_skill(
    classifier, binary, method, ensemble
):
    X, y = binary
    model = CalibratedClassifierCV(classifier, method=method, ensemble=ensemble, cv=2)
    p = model.fit(X, y).predict_proba(X)
    assert_allclose(p.sum(1), 1)
    assert model.score(X, y) > 0.8


def test_soft_voting_averages_the_networks_probabilities(iris):
    X, y = iris
    members = [
        (str(s), plain_classifier((4,), max_epochs=5, random_state=s)) for s in (0, 1)
    ]
    voting = VotingClassifier(members, voting="soft").fit(X, y)
    alone = [clone(network).fit(X, y).predict_proba(X) for _, network in members]
    assert_allclose(voting.predict_proba(X), np.mean(alone, axis=0))


def test_stacking_takes_networks_as_members_and_as_the_last_word(regressor, regression):
    X, y = regression
    stack = StackingRegressor(
        [("net", make_pipeline(StandardScaler(), regressor)), ("ridge", Ridge())],
        final_estimator=plain_regressor((), optimizer="lbfgs"),
        cv=2,
    ).fit(X, y)
    assert stack.score(X, y) > 0.9


def test_bagging_trains_a_different_network_each_time(binary):
    X, y = binary
    network = plain_classifier((4,), max_epochs=10)
    bagging = BaggingClassifier(network, 3, max_features=3, random_state=0).fit(X, y)
    seeds = {member.random_state for member in bagging.estimators_}
    assert len(seeds) == 3
    again = clone(bagging).fit(X, y)
    assert_array_equal(bagging.predict_proba(X), again.predict_proba(X))


def test_boosting_trains_the_next_network_on_rows_weighted_by_the_last_ones_errors(
    binary,
):
    X, y = binary
    network = plain_classifier((3,), max_epochs=20, learning_rate=0.02)
    boost = AdaBoostClassifier(network, n_estimators=2, random_state=0).fit(X, y)
    first, second = boost.estimators_
    wrong = first.predict(X) != y
    assert 0 < wrong.mean() < 0.5
    weight = np.exp(boost.estimator_weights_[0] * wrong)
    again = clone(second).fit(X, y, sample_weight=weight)
    assert_allclose(second.predict_proba(X), again.predict_proba(X), rtol=1e-6)
    unweighted = clone(second).fit(X, y)
    assert not np.allclose(second.predict_proba(X), unweighted.predict_proba(X))


def test_one_vs_rest_trains_a_binary_network_a_class(classifier, iris):
    X, y = iris
    model = OneVsRestClassifier(classifier).fit(X, y)
    assert [e.classes_.tolist() for e in model.estimators_] == [[0, 1]] * 3
    assert model.score(X, y) > 0.9


def test_multi_output_wrappers_train_a_network_a_target(regressor, two_targets):
    X, Y = two_targets
    model = MultiOutputRegressor(regressor).fit(X, Y)
    alone = clone(regressor).fit(X, Y[:, 1])
    assert_array_equal(model.predict(X)[:, 1], alone.predict(X))


def test_a_transformed_target_comes_back_in_its_own_units(regressor, regression):
    X, y = regression
    positive = np.exp(y / 100)
    model = TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)
    model.fit(X, positive)
    direct = clone(regressor).fit(X, np.log(positive))
    assert_array_equal(model.predict(X), np.exp(direct.predict(X)))


def test_self_training_labels_the_unlabelled_rows_mostly_right(classifier, iris):
    X, y = iris
    partly = np.where(np.arange(len(y)) % 5, -1, y)
    model = SelfTrainingClassifier(classifier, threshold=0.7).fit(X, partly)
    labelled = model.labeled_iter_ > 0
    assert labelled.sum() > 60
    assert (model.transduction_[labelled] == y[labelled]).mean() > 0.8


def test_a_tuned_threshold_never_scores_below_the_middle_in_its_folds(
    classifier, binary
):
    X, y = binary
    rare = (y == 1) & (np.arange(len(y)) % 3 == 0)
    model = TunedThresholdClassifierCV(
        classifier, scoring=make_scorer(balanced_accuracy_score), cv=2, random_state=0
    ).fit(X, rare)
    assert 0 < model.best_threshold_ < 1
    p = model.predict_proba(X)[:, 1]
    assert_array_equal(model.predict(X), p >= model.best_threshold_)


def test_permutation_importance_finds_the_column_that_matters(regressor, rng):
    X = rng.normal(size=(80, 3))
    model = clone(regressor).fit(X, 5 * X[:, 1])
    found = permutation_importance(model, X, 5 * X[:, 1], n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 1
    assert found.importances_mean[1] > 0.5


# Metadata


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_sample_weight_is_routed_through_pipelines_and_searches(routing, binary, rng):
    X, y = binary
    weight = rng.integers(0, 4, len(y)).astype(float)
    network = plain_classifier((4,), max_epochs=5, random_state=0)
    network.set_fit_request(sample_weight=True)
    scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scaler, network)
    search = GridSearchCV(pipe, {"mlpclassifier__dropout": [0.0]}, cv=2, scoring=scorer)
    search.fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    alone = clone(network).fit(scaled, y, sample_weight=weight)
    assert_array_equal(search.predict_proba(X), alone.predict_proba(scaled))
    unweighted = clone(network).fit(scaled, y)
    assert (search.predict_proba(X) != unweighted.predict_proba(scaled)).any()


def test_sample_weight_that_nobody_requested_is_refused(routing, binary):
    X, y = binary
    search = GridSearchCV(plain_classifier(max_epochs=1), {"dropout": [0.0]}, cv=2)
    with pytest.raises(ValueError, match="sample_weight"):
        search.fit(X, y, sample_weight=np.ones(len(y)))


def test_partial_fit_requests_its_own_metadata(routing):
    network = plain_classifier().set_partial_fit_request(
        sample_weight=True, classes=True
    )
    assert network.get_metadata_routing().consumes(
        "partial_fit", ["sample_weight", "classes"]
    ) == {"sample_weight", "classes"}


def test_a_pipeline_hands_a_transformed_validation_set_through(routing, binary):
    X, y = binary
    network = plain_classifier((4,), max_epochs=5, random_state=0)
    network.set_fit_request(X_val=True, y_val=True)
    pipe = make_pipeline(StandardScaler(), network, transform_input=["X_val"])
    pipe.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    scaler = StandardScaler().fit(X[:40])
    alone = clone(network).fit(
        scaler.transform(X[:40]), y[:40], X_val=scaler.transform(X[40:]), y_val=y[40:]
    )
    assert_array_equal(pipe[-1].history_.valid_loss, alone.history_.valid_loss)
    assert_array_equal(pipe.predict_proba(X), alone.predict_proba(scaler.transform(X)))


def test_without_routing_sample_weight_reaches_the_named_step(binary, rng):
    X, y = binary
    weight = rng.integers(1, 4, len(y)).astype(float)
    pipe = make_pipeline(
        StandardScaler(), plain_classifier((4,), max_epochs=3, random_state=0)
    )
    pipe.fit(X, y, mlpclassifier__sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    alone = clone(pipe[-1]).fit(scaled, y, sample_weight=weight)
    assert_array_equal(pipe.predict_proba(X), alone.predict_proba(scaled))


# Copies and files

FITTED = {
    "classes": plain_classifier((6,), max_epochs=3, random_state=0),
    "float32": plain_classifier((6,), dtype="float32", max_epochs=3, random_state=0),
    "early stopping": plain_classifier(
        (6,), early_stopping=True, batch_size=16, max_epochs=3, random_state=0
    ),
    "every layer": plain_classifier(
        (6, 6), activation="prelu", normalization="batch", residual=True, dropout=0.1,
        max_epochs=3, random_state=0,
    ),
    "regression": plain_regressor((6,), max_epochs=3, random_state=0),
    "gaussian": plain_regressor((6,), loss="gaussian", max_epochs=3, random_state=0),
    "random state": plain_regressor(
        (6,), max_epochs=3, random_state=np.random.RandomState(0)
    ),
}  # fmt: skip


def through_pickle(estimator, tmp_path):
    return pickle.loads(pickle.dumps(estimator))


def through_oldest_protocol(estimator, tmp_path):
    return pickle.loads(pickle.dumps(estimator, protocol=0))


def through_joblib(estimator, tmp_path):
    joblib.dump(estimator, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


def through_joblib_memmap(estimator, tmp_path):
    joblib.dump(estimator, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib", mmap_mode="r")


def through_deepcopy(estimator, tmp_path):
    return copy.deepcopy(estimator)


def through_copy(estimator, tmp_path):
    return copy.copy(estimator)


WAYS = [
    through_pickle,
    through_oldest_protocol,
    through_joblib,
    through_joblib_memmap,
    through_deepcopy,
    through_copy,
]


def outputs(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


@pytest.fixture(params=list(FITTED))
def fitted(request, iris):
    X, y = iris
    return clone(FITTED[request.param]).fit(X, y)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_stored_network_predicts_the_same_to_the_last_bit(
    fitted, way, iris, tmp_path
):
    X, _ = iris
    back = way(fitted, tmp_path)
    assert_array_equal(outputs(back, X), outputs(fitted, X))
    assert back.history_.equals(fitted.history_)
    assert (back.n_iter_, back.stop_reason_) == (fitted.n_iter_, fitted.stop_reason_)
    assert back.get_params().keys() == fitted.get_params().keys()


@pytest.mark.parametrize("way", WAYS[:-1], ids=lambda way: way.__name__)
def test_training_a_copy_leaves_the_original_alone(way, iris, tmp_path):
    X, y = iris
    original = plain_classifier((6,), max_epochs=3, random_state=0).fit(X, y)
    before = original.predict_proba(X)
    back = way(original, tmp_path)
    back.partial_fit(X, y)
    assert (back.predict_proba(X) != before).any()
    assert_array_equal(original.predict_proba(X), before)


@pytest.mark.parametrize("way", WAYS[:-1], ids=lambda way: way.__name__)
def test_partial_fit_goes_on_after_storing_as_if_never_stopped(way, iris, tmp_path):
    X, y = iris
    network = plain_classifier((6,), batch_size=32, dropout=0.2, random_state=0)
    network.partial_fit(X, y)
    back = way(network, tmp_path)
    for _ in range(2):
        network.partial_fit(X, y)
        back.partial_fit(X, y)
    assert_array_equal(back.predict_proba(X), network.predict_proba(X))


class _Listing(pickle.Unpickler):
    """Notes every class and function that a pickle asks for."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.modules = set()

    def find_class(self, module, name):
        self.modules.add(module)
        return super().find_class(module, name)


def test_a_pickle_asks_for_no_torch_and_no_skorch_object(fitted, iris):
    X, y = iris
    fitted.net_  # an adopted net must not travel along
    fitted.partial_fit(X, y)
    listing = _Listing(pickle.dumps(fitted))
    listing.load()
    foreign = {name.split(".")[0] for name in listing.modules}
    assert foreign <= {
        "sklearn_deep",
        "numpy",
        "collections",
        "builtins",
        "copyreg",
        "_codecs",
    }


def test_a_pickle_does_not_hold_the_training_data(rng):
    X = rng.normal(size=(5000, 10))
    network = plain_regressor((4,), max_epochs=1).fit(X, X[:, 0])
    assert len(pickle.dumps(network)) < 20_000


def test_an_unfitted_network_survives_storing(tmp_path):
    network = plain_classifier((3, 4), dropout=[0.1, 0.2], betas=(0.8, 0.9))
    for way in WAYS:
        assert way(network, tmp_path).get_params() == network.get_params()


def test_a_fitted_search_over_a_pipeline_survives_storing(binary, tmp_path):
    X, y = binary
    pipe = make_pipeline(
        StandardScaler(), plain_classifier((4,), max_epochs=2, random_state=0)
    )
    search = GridSearchCV(pipe, {"mlpclassifier__dropout": [0, 0.2]}, cv=2).fit(X, y)
    back = through_joblib(search, tmp_path)
    assert_array_equal(back.predict_proba(X), search.predict_proba(X))


def test_clone_gives_the_same_arguments_and_nothing_learnt(fitted):
    fresh = clone(fitted)
    given, cloned = fitted.get_params(), fresh.get_params()
    assert given.keys() == cloned.keys()
    assert all(cloned[k] == v for k, v in given.items() if k != "random_state")
    assert not [name for name in vars(fresh) if name not in fresh.get_params()]


def test_multilabel_networks_compose_and_store(tmp_path):
    X, Y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    pipe = make_pipeline(StandardScaler(), plain_classifier((8,), **QUICK))
    p = cross_val_predict(pipe, X, Y, cv=2, method="predict_proba")
    assert p.shape == Y.shape
    back = through_joblib(pipe.fit(X, Y), tmp_path)
    assert_array_equal(back.predict(X), pipe.predict(X))
