"""The ``checkpoint`` of a network that is inside another estimator."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_deep import (
    Checkpoint,
    LearningRateFinder,
    MLPClassifier,
    NetworkFeatures,
    Pruned,
    Quantized,
    Sliced,
    TabularClassifier,
    ValidationHoldout,
)
from sklearn_deep.training.loop._run import Run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
Y = (X[:, 0] + 0.3 * RNG.normal(size=120) > 0).astype(int)


def net(folder, cls=MLPClassifier, **params):
    stored = None if folder is None else Checkpoint(folder, every_epochs=1)
    settings = {"max_epochs": 4, "batch_size": 32, "random_state": 0, **params}
    return cls((8,), checkpoint=stored, **settings)


def tabular(folder):
    return net(folder, TabularClassifier, n_networks=2)


def holdout(folder):
    pipe = make_pipeline(StandardScaler(), net(folder))
    return ValidationHoldout(pipe, random_state=0)


def features(folder):
    return make_pipeline(NetworkFeatures(net(folder)), LinearSVC(random_state=0))


TUNED = {"fine_tune_epochs": 3}
ESTIMATORS = {
    "holdout": holdout,
    "features": features,
    "pruned": lambda folder: Pruned(net(folder), amount=0.5, **TUNED),
    "pruned in steps": lambda folder: Pruned(
        net(folder), amount=0.7, schedule="gradual", **TUNED
    ),
    "pruned ensemble": lambda folder: Pruned(tabular(folder), amount=0.5, **TUNED),
    "sliced": lambda folder: Sliced(net(folder), **TUNED),
    "quantized": lambda folder: Quantized(net(folder), **TUNED),
    "nested": lambda folder: Quantized(Pruned(net(folder), **TUNED), **TUNED),
}


@pytest.fixture
def epochs(monkeypatch):
    """Counts the epochs that are trained; ``stop_after`` ends the process, as it were."""
    seen, end_epoch = Seen(), Run.end_epoch

    def counted(run, *args):
        if len(seen) == seen.stop_after:
            raise KeyboardInterrupt
        seen.append(run.job.owner)
        return end_epoch(run, *args)

    monkeypatch.setattr(Run, "end_epoch", counted)
    return seen


class Seen(list):
    stop_after = None


def outputs(model):
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.decision_function(X)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interrupted_fit_goes_on_inside(name, tmp_path, epochs):
    make = ESTIMATORS[name]
    expected = outputs(make(None).fit(X, Y))
    n_all = len(epochs)
    assert n_all >= 4
    for stop_after in {2, n_all - 1}:
        del epochs[:]
        folder, epochs.stop_after = tmp_path / str(stop_after), stop_after
        with pytest.raises(KeyboardInterrupt):
            make(folder).fit(X, Y)
        epochs.stop_after = None
        assert_array_equal(expected, outputs(make(folder).fit(X, Y)))
        assert len(epochs) == n_all
        assert_array_equal(expected, outputs(make(folder).fit(X, Y)))
        assert len(epochs) == n_all


def test_a_range_test_stores_nothing(tmp_path):
    finder = LearningRateFinder(net(tmp_path)).fit(X, Y)
    plain = LearningRateFinder(net(None)).fit(X, Y)
    assert finder.suggestion_ == plain.suggestion_
    assert not list(tmp_path.iterdir())
