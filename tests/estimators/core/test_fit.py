"""The way of X and of a parameter through a fit, until the training begins."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

import sklearn_deep
from sklearn_deep import MLPClassifier

PACKAGE = f"{Path(sklearn_deep.__file__).parent}/"
RATE = 0.2345


def shares(value, X, depth=2):
    """Whether a value is X, or a record that holds it."""
    if isinstance(value, np.ndarray):
        return np.shares_memory(value, X)
    fields = value if isinstance(value, tuple) else ()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = vars(value).values()
    return depth > 0 and any(shares(field, X, depth - 1) for field in fields)


def names(value, wanted, depth=3):
    """Whether a value is a number, or a container that holds it."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        return depth > 0 and any(names(item, wanted, depth - 1) for item in value)
    return isinstance(value, float) and value == wanted


class Walk:
    """Calls of functions of the package during a fit, until ``train`` is called."""

    def __init__(self, estimator, X):
        self.estimator, self.X, self.ended = estimator, X, False
        self.with_X, self.with_rate, self.back = set(), set(), []

    def __call__(self, frame, event, arg):
        file = frame.f_code.co_filename
        if self.ended or event != "call" or not file.startswith(PACKAGE):
            return
        file, function = file.removeprefix(PACKAGE), frame.f_code.co_name
        if (file, function) == ("training/_train.py", "train"):
            self.ended = True
            return
        arguments = list(frame.f_locals.values())
        if any(shares(value, self.X) for value in arguments):
            self.with_X.add(file)
        if any(names(value, RATE) for value in arguments):
            self.with_rate.add(file)
        if frame.f_locals.get("self") is self.estimator:
            caller = frame.f_back
            while caller and not caller.f_code.co_filename.startswith(PACKAGE):
                caller = caller.f_back
            if caller and caller.f_locals.get("self") is not self.estimator:
                self.back.append(f"{caller.f_code.co_name} -> {function}")


@pytest.fixture(scope="module")
def walk():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)).astype("float32")
    y, weight = np.where(X[:, 0] > 0, "yes", "no"), rng.uniform(1, 2, 200)
    settings = {"max_epochs": 1, "early_stopping": True, "dropout": RATE}
    MLPClassifier(**settings).fit(X, y, sample_weight=weight)  # caches are filled
    estimator = MLPClassifier(**settings)
    walk, before = Walk(estimator, X), sys.getprofile()
    sys.setprofile(walk)
    try:
        estimator.fit(X, y, sample_weight=weight)
    finally:
        sys.setprofile(before)
    assert walk.ended
    return walk


def test_only_the_fit_itself_calls_methods_of_the_estimator(walk):
    assert walk.back == []


def test_X_passes_few_files_before_the_training_begins(walk):
    assert "data/_features.py" in walk.with_X
    assert len(walk.with_X) <= 12, sorted(walk.with_X)


def test_the_rate_of_dropout_passes_few_files_before_the_training_begins(walk):
    assert "nn/_dropout.py" in walk.with_rate
    assert len(walk.with_rate) <= 8, sorted(walk.with_rate)
