"""The parameter ``checkpoint`` of the estimators."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_deep
from sklearn_deep import (
    AutoAugment,
    Checkpoint,
    CNNClassifier,
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
)
from sklearn_deep.estimators.core._base import DeepEstimator
from sklearn_deep.training.loop._run import Run

NETWORKS = [
    name
    for name in sklearn_deep.__all__
    if isinstance(getattr(sklearn_deep, name), type)
    and issubclass(getattr(sklearn_deep, name), DeepEstimator)
]


@pytest.fixture
def epochs(monkeypatch):
    """Counts the epochs that are trained."""
    seen, end_epoch = [], Run.end_epoch

    def counted(run, *args):
        seen.append(run.job.owner)
        return end_epoch(run, *args)

    monkeypatch.setattr(Run, "end_epoch", counted)
    return seen


def net(folder=None, **params):
    settings = {"max_epochs": 3, "random_state": 0, "dropout": 0.2, **params}
    return MLPClassifier((4,), checkpoint=folder, **settings)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_the_parameter(name):
    assert "checkpoint" in getattr(sklearn_deep, name)._get_param_names()


@pytest.mark.parametrize("kind", [str, lambda folder: folder, Checkpoint])
def test_a_finished_fit_is_not_repeated(kind, tmp_path, iris, epochs):
    first = net(kind(tmp_path)).fit(*iris)
    assert len(epochs) == 3
    second = net(kind(tmp_path)).fit(*iris)
    assert len(epochs) == 3
    assert_array_equal(first.predict_proba(iris[0]), second.predict_proba(iris[0]))
    assert repr(first.history_) == repr(second.history_)
    assert_array_equal(
        net().fit(*iris).predict_proba(iris[0]), first.predict_proba(iris[0])
    )


def test_another_fit_has_a_state_of_its_own(tmp_path, iris, epochs):
    X, y = iris
    net(tmp_path).fit(X, y)
    others = [
        (net(tmp_path, random_state=1), X, y),
        (net(tmp_path, dropout=0.1), X, y),
        (net(tmp_path), X[::-1], y[::-1]),
        (net(tmp_path), X, (y + 1) % 3),
    ]
    for other, rows, labels in others:
        del epochs[:]
        other.fit(rows, labels)
        assert len(epochs) == 3


def test_a_longer_training_begins_anew(tmp_path, iris, epochs):
    net(tmp_path).fit(*iris)
    assert net(tmp_path, max_epochs=4).fit(*iris).n_iter_ == 4
    assert len(epochs) == 7


def test_it_survives_a_clone(tmp_path):
    twin = clone(net(Checkpoint(tmp_path, keep=2)))
    assert twin.checkpoint == Checkpoint(tmp_path, keep=2)


def test_without_a_random_state_it_is_an_error_that_says_why(tmp_path, iris):
    with pytest.raises(ValueError, match="needs a random_state: with None each fit"):
        net(tmp_path, random_state=None).fit(*iris)
    assert not list(tmp_path.iterdir())


def test_a_random_state_object_gives_its_next_seed(tmp_path, iris, epochs):
    for _ in range(2):
        net(tmp_path, random_state=np.random.RandomState(3)).fit(*iris)
    assert len(epochs) == 3


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "must be a folder .a str or a path., a Checkpoint, or None|Got 3"),
        (Checkpoint("folder", keep=0), "keep"),
        (Checkpoint("folder", every_epochs=0), "every_epochs"),
    ],
)
def test_an_invalid_one_is_named(value, words, iris, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidParameterError, match=words):
        net(value).fit(*iris)


def test_a_stream_of_partial_fit_is_read(tmp_path, iris, epochs):
    X, y = iris
    streams = []
    for _ in range(2):
        stream = net(tmp_path)
        for part in (slice(0, 75), slice(75, 150), slice(0, 75)):
            stream.partial_fit(X[part], y[part], classes=[0, 1, 2])
        streams.append(stream)
    assert len(epochs) == 3
    plain = net()
    for part in (slice(0, 75), slice(75, 150), slice(0, 75)):
        plain.partial_fit(X[part], y[part], classes=[0, 1, 2])
    for stream in streams:
        assert_array_equal(stream.predict_proba(X), plain.predict_proba(X))
        stream.partial_fit(X, y)
    plain.partial_fit(X, y)
    assert_array_equal(streams[1].predict_proba(X), plain.predict_proba(X))


def test_a_warm_start_is_read(tmp_path, iris, epochs):
    nets = [net(folder, warm_start=True) for folder in (None, tmp_path, tmp_path)]
    for each in nets:
        each.fit(*iris).fit(*iris)
    assert len(epochs) == 12
    expected, *others = (each.predict_proba(iris[0]) for each in nets)
    for other in others:
        assert_array_equal(expected, other)


def test_a_found_learning_rate_is_read(tmp_path, iris, epochs, monkeypatch):
    expected = net(learning_rate="auto").fit(*iris)
    net(tmp_path, learning_rate="auto").fit(*iris)
    del epochs[:]

    def not_again(*_):
        raise AssertionError("the range test is repeated")

    monkeypatch.setattr(
        "sklearn_deep.estimators.core._learning_rate.range_test", not_again
    )
    again = net(tmp_path, learning_rate="auto").fit(*iris)
    assert again.learning_rate_ == expected.learning_rate_
    assert_array_equal(again.predict_proba(iris[0]), expected.predict_proba(iris[0]))
    assert not epochs


def test_a_found_policy_is_read(tmp_path, epochs, rng):
    images, y = rng.normal(size=(40, 1, 6, 6)), np.arange(40) % 2

    def fitted(folder=None):
        search = AutoAugment(n_candidates=2, n_epochs=2)
        cnn = CNNClassifier(
            (4,),
            max_epochs=2,
            augmentation=search,
            random_state=0,
            checkpoint=folder,
        )
        return cnn.fit(images, y)

    expected = fitted()
    fitted(tmp_path)
    del epochs[:]
    again = fitted(tmp_path)
    assert not epochs
    assert repr(again.augmentation_) == repr(expected.augmentation_)
    assert_array_equal(again.predict_proba(images), expected.predict_proba(images))


def test_the_second_network_of_predicted_spreads_is_read(tmp_path, regression, epochs):
    X, y = regression

    def fitted(folder=None):
        return MLPRegressor(
            (4,), loss="gaussian", max_epochs=3, random_state=0, checkpoint=folder
        ).fit(X, y)

    expected = fitted()
    fitted(tmp_path)
    del epochs[:]
    again = fitted(tmp_path)
    assert not epochs
    for a, b in zip(
        expected.predict(X, return_std=True),
        again.predict(X, return_std=True),
        strict=True,
    ):
        assert_array_equal(a, b)


def test_in_a_pipeline(tmp_path, iris, epochs):
    for _ in range(2):
        make_pipeline(StandardScaler(), net(tmp_path)).fit(*iris)
    assert len(epochs) == 3


def test_callbacks_see_only_what_is_trained_now(tmp_path, iris):
    from skorch.callbacks import Callback

    class Counts(Callback):
        begun = ended = epochs = 0

        def on_train_begin(self, *args, **kwargs):
            self.begun += 1

        def on_epoch_end(self, *args, **kwargs):
            self.epochs += 1

        def on_train_end(self, *args, **kwargs):
            self.ended += 1

    counts = [Counts(), Counts()]
    fits = [net(tmp_path, callbacks=[each]).fit(*iris) for each in counts]
    assert [(c.begun, c.epochs, c.ended) for c in counts] == [(1, 3, 1), (1, 0, 1)]
    assert_array_equal(*(fit.predict_proba(iris[0]) for fit in fits))


@pytest.mark.parametrize("verbose", [1, 2])
def test_a_finished_fit_shows_its_last_line(verbose, tmp_path, iris, capsys):
    net(tmp_path).fit(*iris)
    net(tmp_path, verbose=verbose).fit(*iris)
    assert ("[max_epochs]" in capsys.readouterr().out) == (verbose == 1)
