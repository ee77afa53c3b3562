"""The fingerprint of a job: equal for equal jobs, other for any change."""

import numpy as np
import pytest

from sklearn_deep import GaussianNoise, MLPClassifier
from sklearn_deep.training.checkpoints._fingerprint import fingerprint

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
DEFAULTS = {"hidden_layer_sizes": (5,), "max_epochs": 3, "random_state": 0}


@pytest.fixture
def of(make_job):
    """Fingerprint of the job of an estimator with some parameters."""

    def of(X=X, y=Y, sample_weight=None, **params):
        network = MLPClassifier(**{**DEFAULTS, **params})
        return fingerprint(make_job(network, X, y, sample_weight=sample_weight))

    return of


def test_equal_jobs_have_one_fingerprint(of):
    assert of() == of(X.copy(), Y.tolist())


@pytest.mark.parametrize(
    "changed",
    [
        {"verbose": 1},
        {"device": "cpu"},
        {"callbacks": []},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_no_result_is_no_part_of_it(of, changed):
    assert of(**changed) == of()


@pytest.mark.parametrize(
    "changed",
    [
        {"random_state": 1},
        {"hidden_layer_sizes": (6,)},
        {"max_epochs": 4},
        {"dropout": 0.1},
        {"dropout": 0.3},
        {"learning_rate": 0.01},
        {"weight_decay": 0.5},
        {"l1": 0.5},
        {"l2": 0.5},
        {"early_stopping": False},
        {"early_stopping": True, "monitor": "accuracy"},
        {"early_stopping": True, "monitor": "f1_macro"},
        {"label_smoothing": 0.1},
        {"loss": "focal"},
        {"augmentation": GaussianNoise(0.1)},
        {"augmentation": GaussianNoise(0.2)},
        {"sample_weight": np.arange(1.0, 91.0)},
        {"X": X[::-1]},
        {"y": Y[::-1].copy()},
    ],
    ids=str,
)
def test_what_changes_the_result_changes_it(of, changed):
    found = of(**changed)
    assert found != of()
    assert found == of(**changed)
