"""The contestants of the accuracy benchmark: one row each, all with their defaults.

A contestant is a function of a table and a seed to an unfitted estimator that takes the
table's frame: numbers with missing values, and columns of categories.
"""

from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
)


def encoded(classifier, regressor, **params):
    """Contestants that need scaled numbers and one-hot categories."""

    def make(table, seed):
        cls = classifier if table.is_classification else regressor
        return make_pipeline(table.preprocessing(), cls(random_state=seed, **params))

    return make


def boosting(table, seed):
    """Gradient boosting, which takes the frame as it is; one model per target."""
    if table.is_classification:
        cls, of_several = HistGradientBoostingClassifier, MultiOutputClassifier
    else:
        cls, of_several = HistGradientBoostingRegressor, MultiOutputRegressor
    model = cls(random_state=seed)
    return of_several(model) if table.y.ndim == 2 else model


def tabular(table, seed):
    """Our ensemble of networks, which takes the frame as it is."""
    cls = TabularClassifier if table.is_classification else TabularRegressor
    return cls(random_state=seed)


CONTESTANTS = {
    "Tabular": tabular,
    "MLP": encoded(MLPClassifier, MLPRegressor),
    "scikit-learn": encoded(SklearnClassifier, SklearnRegressor, early_stopping=True),
    "HistGB": boosting,
}

# Contestants of pytabkit, which run in an environment of their own: see _peers.py.
PEERS = {"RealMLP_TD_S": "RealMLP_TD_S", "TabM_D": "TabM_D"}
