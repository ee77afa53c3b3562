"""Small fitted models of every kind, with rows that they take."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    Quantized,
    RNNClassifier,
    Sliced,
    TabularClassifier,
    TabularRegressor,
)

QUICK = {"max_epochs": 2, "random_state": 0}


def flowers():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X["garden"] = pd.Series(["north", "south", None] * 50, dtype=object)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


def numbers(dtype="float32"):
    X, y = load_iris(return_X_y=True)
    return X.astype(dtype), y


def images():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 1, 8, 8)).astype("float32"), np.arange(60) % 3


def series():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 9, 2)).astype("float32"), np.arange(60) % 2


def prepared(network):
    prepare = make_column_transformer(
        (StandardScaler(), slice(0, 4)),
        (OneHotEncoder(handle_unknown="ignore"), ["garden"]),
    )
    return make_pipeline(prepare, network)


def two_targets():
    X, y = numbers("float64")
    return X, np.stack([y + 0.5, X[:, 0]], 1)


MODELS = {
    "mlp": (lambda: MLPClassifier((8, 4), **QUICK), numbers),
    "float64": (lambda: MLPClassifier((8, 4), **QUICK), lambda: numbers("float64")),
    "scaled": (
        lambda: make_pipeline(StandardScaler(), MLPClassifier((8,), **QUICK)),
        numbers,
    ),
    "strings": (lambda: prepared(MLPClassifier((8,), **QUICK)), flowers),
    "search": (
        lambda: GridSearchCV(
            prepared(MLPClassifier((8,), **QUICK)),
            {"mlpclassifier__dropout": [0.0]},
            cv=2,
        ),
        flowers,
    ),
    "cnn": (lambda: CNNClassifier(**QUICK), images),
    "rnn": (lambda: RNNClassifier(4, **QUICK), series),
    "tabular": (lambda: TabularClassifier(**QUICK), flowers),
    "quantized": (lambda: Quantized(MLPClassifier((8, 4), **QUICK)), numbers),
    "sliced": (
        lambda: Sliced(MLPClassifier((8, 4), **QUICK), fine_tune_epochs=0),
        numbers,
    ),
    "forest": (lambda: RandomForestClassifier(3, random_state=0), numbers),
    "logistic": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        numbers,
    ),
    "regressor": (
        lambda: make_pipeline(StandardScaler(), MLPRegressor((8,), **QUICK)),
        lambda: numbers("float64"),
    ),
    "gaussian": (
        lambda: MLPRegressor((8,), loss="gaussian", **QUICK),
        lambda: numbers("float64"),
    ),
    "targets": (lambda: MLPRegressor((8,), **QUICK), two_targets),
    "tabular-regressor": (
        lambda: TabularRegressor(**QUICK),
        lambda: (flowers()[0], numbers()[1] + 0.5),
    ),
}


@pytest.fixture(scope="session")
def fitted():
    """A function that gives a model of ``MODELS`` and its rows, fitted once."""
    models = {}

    def get(name):
        if name not in models:
            make, rows = MODELS[name]
            X, y = rows()
            models[name] = make().fit(X, y), X, y
        return models[name]

    return get
