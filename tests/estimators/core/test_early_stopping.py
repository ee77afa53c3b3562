"""When training ends, on what, and which epoch's weights are kept."""

import pickle
import time
from functools import partial

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    fbeta_score,
    jaccard_score,
    log_loss,
    make_scorer,
    matthews_corrcoef,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV
from torch import nn

from plain_networks import plain_classifier, plain_regressor
from sklearn_deep import (
    MLPClassifier,
    ModuleClassifier,
    RNNClassifier,
    ValidationHoldout,
)
from sklearn_deep.training.step._step import SingleStep


@pytest.fixture
def noisy(rng):
    """Rows whose labels are half chance: a network soon overfits them."""
    X = rng.normal(size=(160, 6))
    y = (X[:, 0] + 1.5 * rng.normal(size=160) > 0).astype(int)
    return X[:80], y[:80], X[80:], y[80:]


OVERFITTING = {
    "hidden_layer_sizes": (64,),
    "learning_rate": 0.03,
    "batch_size": 16,
    "max_epochs": 60,
    "n_iter_no_change": 5,
    "random_state": 0,
}


def test_the_best_epoch_on_the_validation_rows_is_kept(noisy):
    X, y, X_val, y_val = noisy
    network = plain_classifier(**OVERFITTING).fit(X, y, X_val=X_val, y_val=y_val)
    assert network.stop_reason_ == "early_stopping"
    assert network.n_iter_ < 60
    losses = network.history_.valid_loss
    assert network.best_epoch_ == losses.argmin() + 1 < network.n_iter_
    assert_allclose(log_loss(y_val, network.predict_proba(X_val)), losses.min())


def test_without_restoring_the_last_epoch_is_kept(noisy):
    X, y, X_val, y_val = noisy
    network = plain_classifier(restore_best=False, **OVERFITTING)
    network.fit(X, y, X_val=X_val, y_val=y_val)
    assert network.stop_reason_ == "early_stopping"
    assert network.best_epoch_ == network.n_iter_
    last = network.history_.valid_loss.iloc[-1]
    assert_allclose(log_loss(y_val, network.predict_proba(X_val)), last)


def test_batch_normalisation_statistics_go_back_to_the_best_epoch_too(noisy):
    X, y, X_val, y_val = noisy
    network = plain_classifier(normalization="batch", **OVERFITTING)
    network.fit(X, y, X_val=X_val, y_val=y_val)
    assert network.best_epoch_ < network.n_iter_
    best = network.history_.valid_loss.min()
    assert_allclose(log_loss(y_val, network.predict_proba(X_val)), best)


def test_validation_rows_are_watched_but_not_obeyed_when_early_stopping_is_off(noisy):
    X, y, X_val, y_val = noisy
    params = {**OVERFITTING, "max_epochs": 20, "early_stopping": False}
    network = plain_classifier(**params).fit(X, y, X_val=X_val, y_val=y_val)
    assert network.best_epoch_ == network.n_iter_ == 20
    assert network.history_.valid_loss.notna().all()
    alone = plain_classifier(**params).fit(X, y)
    assert_array_equal(network.predict_proba(X), alone.predict_proba(X))


def test_validation_rows_of_the_users_own_are_not_trained_on(noisy):
    X, y, X_val, y_val = noisy
    network = plain_classifier((8,), early_stopping=True, max_epochs=3, random_state=0)
    flipped = clone(network).fit(X, y, X_val=X_val, y_val=1 - y_val)
    network.set_params(restore_best=False).fit(X, y, X_val=X_val, y_val=y_val)
    flipped_last = flipped.set_params(restore_best=False).fit(
        X, y, X_val=X_val, y_val=1 - y_val
    )
    assert_array_equal(network.predict_proba(X), flipped_last.predict_proba(X))
    assert (network.history_.valid_loss != flipped_last.history_.valid_loss).all()


def test_validation_weights_weigh_the_validation_loss_and_score(noisy, rng):
    X, y, X_val, y_val = noisy
    weight = rng.integers(0, 5, len(y_val)).astype(float)
    network = plain_classifier((8,), early_stopping=False, max_epochs=4, random_state=0)
    network.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    last = network.history_.iloc[-1]
    p = network.predict_proba(X_val)
    assert_allclose(last.valid_loss, log_loss(y_val, p, sample_weight=weight))
    assert_allclose(last.valid_score, network.score(X_val, y_val, sample_weight=weight))


def test_class_weights_count_in_the_validation_loss(noisy):
    X, y, X_val, y_val = noisy
    network = plain_classifier(
        (8,), class_weight={1: 5.0}, max_epochs=3, random_state=0
    )
    network.set_params(early_stopping=False).fit(X, y, X_val=X_val, y_val=y_val)
    weighted = log_loss(
        y_val, network.predict_proba(X_val), sample_weight=np.where(y_val, 5.0, 1.0)
    )
    assert_allclose(network.history_.valid_loss.iloc[-1], weighted)


def test_label_smoothing_does_not_blur_the_validation_loss(noisy):
    X, y, X_val, y_val = noisy
    network = plain_classifier((8,), label_smoothing=0.4, max_epochs=3, random_state=0)
    network.set_params(early_stopping=False).fit(X, y, X_val=X_val, y_val=y_val)
    last = network.history_.valid_loss.iloc[-1]
    assert_allclose(last, log_loss(y_val, network.predict_proba(X_val)))


def test_the_validation_score_of_a_regressor_is_r2(regression):
    X, y = regression
    network = plain_regressor((8,), early_stopping=False, max_epochs=10, random_state=0)
    network.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    wanted = r2_score(y[40:], network.predict(X[40:]))
    assert_allclose(network.history_.valid_score.iloc[-1], wanted)


@pytest.mark.parametrize(
    ("monitor", "score"),
    [
        (
            "roc_auc",
            lambda network, X, y: roc_auc_score(y, network.predict_proba(X)[:, 1]),
        ),
        (
            "balanced_accuracy",
            lambda network, X, y: balanced_accuracy_score(y, network.predict(X)),
        ),
        ("neg_log_loss", lambda network, X, y: -log_loss(y, network.predict_proba(X))),
    ],
)
@pytest.mark.parametrize("names", [[0, 1], ["no", "yes"]])
def test_a_scorer_can_be_watched_by_its_name(monitor, score, names, noisy):
    X, y, X_val, y_val = noisy
    y, y_val = np.array(names)[y], np.array(names)[y_val]
    network = plain_classifier(monitor=monitor, **OVERFITTING)
    network.fit(X, y, X_val=X_val, y_val=y_val)
    scores = network.history_.valid_score
    assert network.best_epoch_ == scores.argmax() + 1
    assert_allclose(score(network, X_val, y_val), scores.max())
    assert network.stop_reason_ == "early_stopping"


def test_a_scorer_gets_the_validation_weights(noisy, rng):
    X, y, X_val, y_val = noisy
    weight = rng.integers(0, 5, len(y_val)).astype(float)
    network = plain_classifier(
        (8,), monitor="roc_auc", early_stopping=True, max_epochs=2
    )
    network.set_params(restore_best=False, random_state=0)
    network.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    wanted = roc_auc_score(
        y_val, network.predict_proba(X_val)[:, 1], sample_weight=weight
    )
    assert_allclose(network.history_.valid_score.iloc[-1], wanted)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_scorer_can_be_watched_on_a_held_out_part(sparse, noisy):
    X, y, *_ = noisy
    X = csr_array(X) if sparse else X
    network = plain_classifier(
        monitor="roc_auc", early_stopping=True, **OVERFITTING
    ).fit(X, y)
    assert network.history_.valid_score.between(0, 1).all()
    assert network.best_epoch_ == network.history_.valid_score.argmax() + 1


# Scores of other kinds


BINARY_METRICS = {
    "f1": (f1_score, "predict"),
    "precision": (precision_score, "predict"),
    "recall": (recall_score, "predict"),
    "jaccard": (jaccard_score, "predict"),
    "average_precision": (average_precision_score, "predict_proba"),
    "neg_brier_score": (lambda y, p: -brier_score_loss(y, p), "predict_proba"),
}


@pytest.mark.parametrize("names", [["a", "b"], [1, 2], [False, True]], ids=str)
@pytest.mark.parametrize("monitor", BINARY_METRICS)
def test_scorers_of_two_classes_take_the_second_class_as_positive(
    monitor, names, noisy
):
    X, y, X_val, y_val = noisy
    network = plain_classifier(
        (8,), monitor=monitor, learning_rate=0.02, max_epochs=3, random_state=0
    ).set_params(restore_best=False)
    names = np.array(names)
    network.fit(X, names[y], X_val=X_val, y_val=names[y_val])
    metric, method = BINARY_METRICS[monitor]
    if method == "predict":
        predicted = (network.predict(X_val) == names[1]).astype(int)
    else:
        predicted = network.predict_proba(X_val)[:, 1]
    assert_allclose(network.history_.valid_score.iloc[-1], metric(y_val, predicted))
    assert_array_equal(network.classes_, names)


def accuracy_of_estimator(estimator, X, y):
    return accuracy_score(y, estimator.predict(X))


def weighted_accuracy_of_estimator(estimator, X, y, sample_weight=None):
    return accuracy_score(y, estimator.predict(X), sample_weight=sample_weight)


def longest_error(y, predicted):
    return np.abs(y - predicted).max()


@pytest.mark.parametrize(
    ("monitor", "metric"),
    [
        (make_scorer(fbeta_score, beta=2, pos_label="yes"), "fbeta"),
        (make_scorer(matthews_corrcoef), "matthews"),
        (weighted_accuracy_of_estimator, "accuracy"),
        (partial(weighted_accuracy_of_estimator), "accuracy"),
        (accuracy_of_estimator, "plain accuracy"),
    ],
)
def test_scorers_and_callables_see_the_labels_and_the_weights_that_they_take(
    monitor, metric, noisy, rng
):
    X, y, X_val, y_val = noisy
    y, y_val = np.array(["no", "yes"])[y], np.array(["no", "yes"])[y_val]
    weight = rng.integers(1, 5, len(y_val)).astype(float)
    network = plain_classifier(
        (8,), monitor=monitor, restore_best=False, max_epochs=3, learning_rate=0.02,
        random_state=0,
    )  # fmt: skip
    network.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    arguments = {"y_true": y_val, "y_pred": network.predict(X_val)}
    wanted = {
        "fbeta": partial(fbeta_score, beta=2, pos_label="yes", sample_weight=weight),
        "matthews": partial(matthews_corrcoef, sample_weight=weight),
        "accuracy": partial(accuracy_score, sample_weight=weight),
        "plain accuracy": accuracy_score,
    }[metric](**arguments)
    assert_allclose(network.history_.valid_score.iloc[-1], wanted)


@pytest.mark.parametrize(
    "monitor",
    ["neg_max_error", make_scorer(longest_error, greater_is_better=False)],
    ids=["name", "scorer"],
)
def test_a_metric_without_weights_is_watched_without_them(monitor, regression):
    X, y = regression
    network = plain_regressor(
        (8,), monitor=monitor, restore_best=False, max_epochs=3, random_state=0
    )
    network.fit(X, y, X_val=X, y_val=y, sample_weight_val=np.arange(1.0, len(y) + 1))
    wanted = -np.abs(y - network.predict(X)).max()
    assert_allclose(network.history_.valid_score.iloc[-1], wanted)


def test_a_monitor_survives_cloning_pickling_and_a_stacked_search(noisy):
    X, y, *_ = noisy
    scorer = make_scorer(f1_score)
    grid = {"monitor": ["loss", "f1", scorer, accuracy_of_estimator]}
    network = plain_classifier((8,), early_stopping=True, max_epochs=6, random_state=0)
    search = GridSearchCV(network, grid, cv=2, error_score="raise", refit=False)
    alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        stacked = clone(search).fit(X, y).cv_results_["mean_test_score"]
    assert_allclose(stacked, alone)
    assert_allclose(alone[1], alone[2])  # f1 by its name, and made of the metric
    network.set_params(monitor=scorer).fit(X, y)
    again = clone(pickle.loads(pickle.dumps(network))).fit(X, y)
    assert_array_equal(again.history_.valid_score, network.history_.valid_score)


@pytest.mark.parametrize(
    "monitor", ["f1", accuracy_of_estimator], ids=["name", "function"]
)
@pytest.mark.parametrize("equal", [True, False], ids=["array", "sequences"])
def test_targets_of_steps_are_scored_over_all_steps(monitor, equal, rng):
    lengths = np.full(12, 4) if equal else rng.integers(1, 5, 12)
    X = [rng.normal(size=n) for n in lengths]
    y = [np.where(x > 0, "up", "down") for x in X]
    network = RNNClassifier(
        return_sequences=True, monitor=monitor, restore_best=False, max_epochs=3,
        random_state=0,
    )  # fmt: skip
    rows = np.array(X) if equal else X
    network.fit(rows, y, X_val=rows, y_val=y)
    predicted = np.concatenate(list(network.predict(rows)))
    metric = accuracy_score
    if monitor == "f1":
        metric = partial(f1_score, pos_label="up")
    wanted = metric(np.concatenate(y), predicted)
    assert_allclose(network.history_.valid_score.iloc[-1], wanted)


def test_several_labels_are_watched_by_scorers_that_know_them(noisy):
    X, y, X_val, y_val = noisy
    y, y_val = np.stack([y, 1 - y, y], 1), np.stack([y_val, 1 - y_val, y_val], 1)
    network = plain_classifier(
        (8,), monitor="roc_auc", restore_best=False, max_epochs=2, random_state=0
    ).fit(X, y, X_val=X_val, y_val=y_val)
    wanted = roc_auc_score(y_val, network.predict_proba(X_val))
    assert_allclose(network.history_.valid_score.iloc[-1], wanted)


def test_a_module_of_ones_own_and_a_holdout_are_watched_by_any_scorer(noisy):
    X, y, *_ = noisy
    y = np.array(["no", "yes"])[y]
    network = ModuleClassifier(
        nn.Linear, module__in_features=6, module__out_features=1, monitor="f1",
        restore_best=False, max_epochs=2, random_state=0,
    )  # fmt: skip
    holdout = ValidationHoldout(network, random_state=0).fit(X, y)
    rows = holdout.validation_indices_
    wanted = f1_score(y[rows], holdout.predict(X[rows]), pos_label="yes")
    assert_allclose(holdout.estimator_.history_.valid_score.iloc[-1], wanted)


# Scores that cannot be


def no_number(estimator, X, y):
    return {"score": 1.0}


def nothing(estimator, X, y):
    return np.nan


def raising(estimator, X, y):
    raise KeyError("column")


ONE_CLASS = "3 given rows of class 'no' only, of the classes ['no', 'yes']"
BAD_MONITORS = {
    "one class in the validation part": (
        "roc_auc",
        [ONE_CLASS, "Pass X_val and y_val with rows of every class"],
    ),
    "a function that gives NaN": (nothing, ["gave nan on", "3 given rows"]),
    "a function that gives no number": (no_number, ["must give one number"]),
    "a function that raises": (raising, ["KeyError: 'column'", "3 given rows"]),
    "a metric of scikit-learn's": (f1_score, ["make_scorer"]),
    "a metric of one's own": (longest_error, ["make_scorer", "(estimator, X, y)"]),
    "a scorer of other labels": (make_scorer(f1_score), ["pos_label"]),
    "a class": (KeyError, ["'monitor' parameter"]),
    "a number": (3, ["'monitor' parameter"]),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize(
    ("monitor", "words"), BAD_MONITORS.values(), ids=list(BAD_MONITORS)
)
def test_a_score_that_cannot_be_is_an_error_that_says_how_to_fix_it(
    monitor, words, noisy
):
    X, y, *_ = noisy
    y = np.array(["no", "yes"])[y]
    rows = np.flatnonzero(y == "no")[:3]
    network = plain_classifier((8,), monitor=monitor, max_epochs=3)
    with pytest.raises(ValueError, match="monitor") as caught:
        network.fit(X, y, X_val=X[rows], y_val=y[rows])
    for word in words:
        assert word in str(caught.value)
    assert not hasattr(network, "module_")


def test_a_scorer_of_another_task_is_refused_with_one_that_fits(noisy):
    X = noisy[0]
    network = plain_classifier((8,), early_stopping=True, monitor="f1", max_epochs=2)
    with pytest.raises(ValueError, match=r"average='binary'.*'f1_macro'"):
        network.fit(X, np.arange(len(X)) % 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_one_fold_without_a_score_fails_alone_in_a_stack(noisy):
    X, y, *_ = noisy
    network = plain_classifier((8,), early_stopping=True, max_epochs=3, random_state=0)
    search = GridSearchCV(network, {"monitor": ["loss", nothing]}, cv=2)
    with (
        joblib.parallel_config(backend="stacked"),
        pytest.warns(FitFailedWarning, match="gave nan on the validation part"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


# Holding out


@pytest.mark.parametrize(
    "cls", [plain_classifier, plain_regressor], ids=["classifier", "regressor"]
)
def test_early_stopping_holds_out_the_asked_share(cls, binary, monkeypatch):
    X, y = binary
    network = cls((4,), early_stopping=True, validation_fraction=0.25, max_epochs=1)
    assert _rows_seen(network, X, y, monkeypatch) == 45


def _rows_seen(network, X, y, monkeypatch):
    """How many rows one epoch of a network trains on."""
    seen = []
    gradient = SingleStep.gradient

    def counting(self, batch):
        seen.append(len(batch))
        return gradient(self, batch)

    monkeypatch.setattr(SingleStep, "gradient", counting)
    network.fit(X, y)
    return sum(seen)


def test_held_out_rows_keep_the_shares_of_rare_string_classes(rng):
    X = rng.normal(size=(100, 2))
    y = np.repeat(["common", "rare"], [90, 10])
    for seed in range(5):
        network = plain_classifier(
            (2,), early_stopping=True, validation_fraction=0.2, max_epochs=1,
            learning_rate=1e-300, optimizer="sgd", bias_init="prior",
            weight_init="normal", weight_init_params={"std": 1e-12}, random_state=seed,
        ).fit(X, y)  # fmt: skip
        # All predictions are the training share of "rare", and the validation loss
        # is then that of the same share.
        share = 0.1
        entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
        assert_allclose(network.predict_proba(X)[:, 1], share, rtol=1e-6)
        assert_allclose(network.history_.valid_loss, entropy, rtol=1e-6)


def test_a_class_of_a_single_row_stays_in_training(rng):
    X = rng.normal(size=(30, 2))
    y = np.array(["a", "b"] * 14 + ["a", "single"])
    network = plain_classifier((4,), early_stopping=True, max_epochs=3).fit(X, y)
    assert network.classes_.tolist() == ["a", "b", "single"]


def test_large_data_is_held_out_from_without_asking(rng):
    X = rng.normal(size=(10_001, 1))
    network = plain_regressor((2,), max_epochs=1, batch_size=5000)
    assert network.fit(X, X[:, 0]).history_.valid_loss.notna().all()
    assert network.fit(X[1:], X[1:, 0]).history_.valid_loss.isna().all()
    network.set_params(early_stopping=False)
    assert network.fit(X, X[:, 0]).history_.valid_loss.isna().all()


@pytest.mark.parametrize(
    ("n", "n_classes", "params", "held_out"),
    [
        (40, 2, {}, True),
        (40, 2, {"early_stopping": False}, False),
        (32, 2, {}, False),  # every step uses all rows
        (40, 2, {"batch_size": 40}, False),
        (40, 2, {"optimizer": "lbfgs"}, False),
        (40, 5, {}, False),  # four rows of five classes
        (40, 5, {"validation_fraction": 0.2}, True),
    ],
)
def test_classifiers_hold_rows_out_unless_told(n, n_classes, params, held_out, rng):
    X, y = rng.normal(size=(n, 3)), np.arange(n) % n_classes
    params = {"max_epochs": 2, "weight_decay": 0.1, "random_state": 0, **params}
    network = MLPClassifier((4,), **params).fit(X, y)
    assert network.history_.valid_loss.notna().all() == held_out


def test_noisy_classes_are_not_overfitted_by_default(rng):
    X = rng.normal(size=(800, 10))
    y = X[:, 0] + rng.normal(size=800) > 0
    network = MLPClassifier(random_state=0).fit(X[:400], y[:400])
    p = network.predict_proba(X[400:])
    assert log_loss(y[400:], p) < 0.6  # .693 knows nothing


def test_copies_of_a_held_out_row_are_not_trained_on(rng):
    X, y = rng.normal(size=(200, 10)), rng.integers(0, 2, 200)
    drawn = rng.choice(200, 600)
    network = MLPClassifier(early_stopping=True, weight_decay=0.1, random_state=0)
    network.fit(X[drawn], y[drawn])  # nothing to learn but the copies
    assert network.best_epoch_ < 10
    assert network.history_.valid_loss.iloc[-1] > 1


def test_equal_weights_hold_out_and_learn_as_none(regression):
    X, y = regression
    network = plain_regressor(
        (8,), early_stopping=True, batch_size=10, max_epochs=20, random_state=0
    )
    weighted = clone(network).fit(X, y, sample_weight=np.ones(len(y)))
    assert_allclose(weighted.predict(X), network.fit(X, y).predict(X), rtol=1e-9)


# The training loss, where nothing is held out


@pytest.mark.parametrize("n_iter_no_change", [1, 3, 8])
def test_training_ends_after_as_many_epochs_without_progress(n_iter_no_change, iris):
    X, y = iris
    network = plain_classifier((4,), tol=1e9, n_iter_no_change=n_iter_no_change).fit(
        X, y
    )
    assert network.n_iter_ == n_iter_no_change + 1  # the first epoch always counts
    assert network.stop_reason_ == "converged"


def test_without_a_patience_training_never_converges(iris):
    X, y = iris
    network = plain_classifier((4,), tol=1e9, n_iter_no_change=None, max_epochs=25).fit(
        X, y
    )
    assert (network.n_iter_, network.stop_reason_) == (25, "max_epochs")


def test_a_smaller_tolerance_trains_longer(iris):
    X, y = iris
    epochs = [
        plain_classifier(
            (4,), tol=tol, learning_rate=0.05, n_iter_no_change=3, random_state=0
        )
        .fit(X, y)
        .n_iter_
        for tol in (0.5, 0.05, 0.005)
    ]
    assert epochs[0] < epochs[1] < epochs[2]


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_max_epochs_is_never_exceeded(optimizer, iris):
    X, y = iris
    for max_epochs in (1, 2, 7):
        network = plain_classifier(
            (4,), optimizer=optimizer, max_epochs=max_epochs
        ).fit(X, y)
        assert network.n_iter_ == len(network.history_) == max_epochs
        assert network.stop_reason_ == "max_epochs"


# The clock


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_time_limit_ends_training_in_time(optimizer, rng):
    X = rng.normal(size=(10_000, 20))
    network = plain_classifier(
        (64, 64), optimizer=optimizer, time_limit=0.2, n_iter_no_change=None,
        max_epochs=10**6,
    )  # fmt: skip
    start = time.perf_counter()
    network.fit(X, rng.integers(0, 2, 10_000))  # nothing to learn, too much to remember
    assert time.perf_counter() - start < 5
    assert network.stop_reason_ == "time_limit"
    assert np.isfinite(network.predict_proba(X)).all()


def test_a_time_limit_ends_training_within_an_epoch(rng):
    X = rng.normal(size=(20_000, 5))
    network = plain_regressor(
        (16,), time_limit=0.05, batch_size=1, early_stopping=False
    )
    network.fit(X, X[:, 0])  # an epoch would take seconds
    assert (network.n_iter_, network.stop_reason_) == (1, "time_limit")
    assert network.history_.seconds.iloc[0] < 1
