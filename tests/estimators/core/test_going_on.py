"""Training that goes on: partial_fit and warm_start."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from plain_networks import plain_classifier, plain_regressor
from sklearn_deep import MLPClassifier, TrainingDivergedError

CONFIGURATIONS = {
    "minibatches": {"batch_size": 16},
    "dropout": {"batch_size": 16, "dropout": 0.3},
    "batch norm": {"batch_size": 16, "normalization": "batch"},
    "momentum": {"batch_size": 16, "optimizer": "momentum", "learning_rate": 0.05},
    "float32": {"batch_size": 16, "dtype": "float32"},
}


def outputs(network, X):
    return getattr(network, "predict_proba", network.predict)(X)


@pytest.mark.parametrize("params", CONFIGURATIONS.values(), ids=list(CONFIGURATIONS))
@pytest.mark.parametrize(
    "cls", [plain_classifier, plain_regressor], ids=["classifier", "regressor"]
)
def test_calls_of_partial_fit_are_the_epochs_of_a_fit(params, cls, iris):
    X, y = iris
    network = cls((6,), max_epochs=5, early_stopping=False, random_state=0, **params)
    at_once = clone(network).fit(X, y)
    for _ in range(5):
        network.partial_fit(X, y)
    assert_array_equal(outputs(network, X), outputs(at_once, X))
    assert network.n_iter_ == at_once.n_iter_ == 5
    assert_allclose(network.loss_curve_, at_once.loss_curve_)
    assert network.history_.epoch.tolist() == [1, 2, 3, 4, 5]


def test_calls_of_partial_fit_are_the_epochs_of_a_fit_on_full_batches(regression):
    X, y = regression
    network = plain_regressor(
        (6,), optimizer="gd", learning_rate=0.1, max_epochs=30, random_state=0
    )
    at_once = clone(network).fit(X, y)
    for _ in range(30):
        network.partial_fit(X, y)
    assert_allclose(network.predict(X), at_once.predict(X), rtol=1e-9)


def test_partial_fit_keeps_its_learning_rate_for_a_stream_has_no_end(iris):
    X, y = iris
    network = plain_classifier(
        (6,), learning_rate_schedule="cosine", max_epochs=3, warmup=2
    )
    for _ in range(5):
        network.partial_fit(X, y)
    assert network.history_.learning_rate.tolist() == [1e-3] * 5


@pytest.mark.parametrize(
    "optimizers",
    [("momentum", "rmsprop"), ("rmsprop", "nesterov"), ("adam", "rmsprop", "adam")],
    ids=" then ".join,
)
def test_another_optimizer_begins_without_the_memory_of_the_last(
    optimizers, regression
):
    X, y = regression
    stream = plain_regressor((4,), random_state=0)
    fits = plain_regressor((4,), random_state=0, warm_start=True, max_epochs=1)
    for optimizer in optimizers:
        stream.set_params(optimizer=optimizer).partial_fit(X, y)
        fits.set_params(optimizer=optimizer).fit(X, y)  # which remembers nothing
    assert_allclose(stream.predict(X), fits.predict(X), rtol=1e-9)


def test_partial_fit_learns_from_a_stream_of_parts(iris, rng):
    X, y = iris
    network = plain_classifier((16,), learning_rate=0.02, batch_size=10, random_state=0)
    for _ in range(20):
        part = rng.permutation(150)[:50]
        network.partial_fit(X[part], y[part], classes=[0, 1, 2])
    assert network.score(X, y) > 0.93


def test_partial_fit_learns_classes_that_come_later():
    network = plain_classifier(random_state=0)
    classes = ["a", "b", "c", "d"]
    network.partial_fit([[1.0], [2.0], [3.0]], ["a", "b", "c"], classes=classes)
    network.partial_fit([[4.0]], ["d"])
    assert network.classes_.tolist() == classes
    assert network.predict_proba([[4.0]]).shape == (1, 4)


def test_partial_fit_takes_one_class_at_a_time(binary):
    X, y = binary
    network = plain_classifier((4,), random_state=0)
    for label in (1, 0):
        network.partial_fit(X[y == label], y[y == label], classes=[0, 1])
    assert network.predict_proba(X).shape == (60, 2)


def test_partial_fit_takes_all_its_arguments_by_position(binary):
    X, y = binary
    network = plain_classifier((4,), random_state=0).partial_fit(
        X, y, [0, 1], np.ones(60)
    )
    same = plain_classifier((4,), random_state=0).partial_fit(X, y)
    assert_allclose(network.predict_proba(X), same.predict_proba(X))


def test_partial_fit_weighs_rows(regression):
    X, y = regression
    network = plain_regressor((6,), batch_size=10, random_state=0)
    for _ in range(3):
        network.partial_fit(X, y, sample_weight=np.arange(60.0) % 2)
    kept = plain_regressor((6,), batch_size=10, random_state=0)
    for _ in range(3):
        kept.partial_fit(X[1::2], y[1::2])
    assert_array_equal(network.predict(X), kept.predict(X))


def test_partial_fit_neither_holds_rows_out_nor_stops(iris):
    X, y = iris
    network = plain_classifier((4,), early_stopping=True, tol=1e9, n_iter_no_change=1)
    for _ in range(5):
        network.partial_fit(X, y)
    assert network.n_iter_ == 5
    assert network.history_.valid_loss.isna().all()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_partial_fit_goes_on_from_a_fit(early_stopping, iris):
    X, y = iris
    network = plain_classifier(
        (8,), early_stopping=early_stopping, max_epochs=10, random_state=0
    )
    before = network.fit(X, y).predict_proba(X)
    epochs = network.n_iter_
    network.partial_fit(X, y)
    assert network.n_iter_ == epochs + 1
    change = np.abs(network.predict_proba(X) - before).max()
    assert 0 < change < 0.1


def test_partial_fit_keeps_the_units_of_the_first_targets(regression):
    X, y = regression
    network = plain_regressor((20,), learning_rate=0.02, random_state=0)
    for _ in range(150):
        network.partial_fit(X[:30], y[:30])
        network.partial_fit(X[30:], y[30:])
    assert network.score(X, y) > 0.9


def test_a_network_can_be_tuned_to_a_new_target_after_it_was_fitted():
    network = plain_regressor(
        (42,), learning_rate=0.01, n_iter_no_change=None, random_state=42
    ).fit([[2.0]], [4.0])
    assert_allclose(network.predict([[2.0]]), 4, rtol=1e-3)
    for _ in range(200):
        network.partial_fit([[2.0]], [1.0])
    assert_allclose(network.predict([[2.0]]), 1, rtol=1e-3)


def test_a_fit_after_partial_fit_begins_anew(iris):
    X, y = iris
    network = plain_classifier((6,), max_epochs=3, random_state=0)
    wanted = clone(network).fit(X, y).predict_proba(X)
    network.partial_fit(X, y).fit(X, y)
    assert_array_equal(network.predict_proba(X), wanted)
    assert network.n_iter_ == 3


# warm_start


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    "cls", [plain_classifier, plain_regressor], ids=["classifier", "regressor"]
)
def test_a_warm_start_goes_on_from_the_weights_there_are(optimizer, cls, iris):
    X, y = iris
    network = cls(
        (8,), optimizer=optimizer, learning_rate=0.01, warm_start=True, max_epochs=8,
        n_iter_no_change=None, random_state=0,
    ).fit(X, y)  # fmt: skip
    first, first_module = network.loss_curve_, network.module_
    network.fit(X, y)
    assert network.n_iter_ == 8
    assert network.module_ is not first_module
    assert network.loss_curve_[0] < first[0]
    assert network.loss_curve_[-1] < first[-1]


def test_without_a_warm_start_every_fit_begins_anew(iris):
    X, y = iris
    network = plain_classifier((8,), max_epochs=4, random_state=0)
    first = network.fit(X, y).predict_proba(X)
    assert_array_equal(network.fit(X, y).predict_proba(X), first)


@pytest.mark.parametrize(
    "cls", [plain_classifier, plain_regressor], ids=["classifier", "regressor"]
)
def test_a_warm_start_works_with_early_stopping(cls, iris):
    X, y = iris
    network = cls(
        (8,), warm_start=True, early_stopping=True, max_epochs=5, random_state=0
    )
    first = network.fit(X, y).history_.valid_loss.iloc[-1]
    network.set_params(max_epochs=10).fit(X, y)
    assert network.n_iter_ == 10
    assert network.history_.valid_loss.iloc[0] < first + 0.05


def test_a_warm_start_is_judged_on_the_rows_that_it_has_never_trained_on(iris):
    X, y = iris
    judged = []

    def monitor(network, X, y):
        judged.append(X)
        return network.score(X, y)

    network = plain_classifier(
        (4,), warm_start=True, early_stopping=True, max_epochs=1, monitor=monitor
    )
    assert network.random_state is None
    for _ in range(3):
        network.fit(X, y)
    for again in judged[1:]:
        assert_array_equal(again, judged[0])


def test_a_warm_start_may_change_how_it_trains(iris):
    X, y = iris
    network = plain_classifier((8,), warm_start=True, max_epochs=5, random_state=0).fit(
        X, y
    )
    network.set_params(optimizer="sgd", learning_rate=0.5, batch_size=7, l2=1e-3).fit(
        X, y
    )
    assert network.learning_rate_ == 0.5
    assert network.score(X, y) > 0.9


def test_a_warm_start_takes_rows_of_fewer_classes(iris):
    X, y = iris
    network = plain_classifier((8,), warm_start=True, max_epochs=5, random_state=0).fit(
        X, y
    )
    network.fit(X[:100], y[:100])
    assert network.classes_.tolist() == [0, 1, 2]
    assert network.predict_proba(X).shape == (150, 3)


def test_a_stream_that_diverges_tells_its_epoch_over_all_calls(binary):
    X, y = binary
    network = MLPClassifier((4,), optimizer="sgd", dtype="float64", random_state=0)
    network.partial_fit(X, y).partial_fit(X, y)
    network.set_params(learning_rate=1e300)
    with pytest.raises(TrainingDivergedError) as caught:
        network.partial_fit(X, y)
    assert caught.value.epoch == 3
    assert network.n_iter_ == 2
