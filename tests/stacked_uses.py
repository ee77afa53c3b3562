"""What scikit-learn does with X and y through joblib, for tests of backends."""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, MLPRegressor, ValidationHoldout


def rows():
    """90 rows of three classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 5))
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)


def net(**changed):
    return MLPClassifier(
        **{
            "hidden_layer_sizes": (6,),
            "max_epochs": 6,
            "batch_size": 16,
            "random_state": 0,
            "dropout": 0.1,
            **changed,
        }
    )


def pipe(**changed):
    return make_pipeline(StandardScaler(), net(**changed))


def regressor():
    return MLPRegressor((6,), max_epochs=6, batch_size=16, random_state=0)


GRID = {
    "mlpclassifier__dropout": [0, 0.3],
    "mlpclassifier__learning_rate": [0.01, 0.03],
}


def searched(search):
    def run(X, y):
        fitted = search.fit(X, y)
        names = [k for k in fitted.cv_results_ if k.endswith("_test_score")]
        scores = np.concatenate([fitted.cv_results_[name] for name in names])
        return np.concatenate([scores, fitted.predict_proba(X).ravel()])

    return run


def predicted(estimator, method="predict_proba"):
    return lambda X, y: getattr(estimator.fit(X, y), method)(X)


def scores(function):
    def run(X, y):
        return np.concatenate([np.ravel(part) for part in function(X, y)[1:3]])

    return run


# What is done with X and y, and how many networks of one call train at once.
USES = {
    "grid search": (lambda: searched(GridSearchCV(pipe(), GRID, cv=3)), 12),
    "randomised search": (
        lambda: searched(
            RandomizedSearchCV(pipe(), GRID, n_iter=3, cv=3, random_state=0)
        ),
        9,
    ),
    "cross_validate": (
        lambda: lambda X, y: cross_validate(pipe(), X, y, cv=4)["test_score"],
        4,
    ),
    "cross_val_predict": (
        lambda: (
            lambda X, y: cross_val_predict(pipe(), X, y, cv=4, method="predict_proba")
        ),
        4,
    ),
    "learning_curve": (
        lambda: scores(
            lambda X, y: learning_curve(pipe(), X, y, cv=3, train_sizes=[0.5, 1.0])
        ),
        6,
    ),
    "validation_curve": (
        lambda: scores(
            lambda X, y: (
                None,
                *validation_curve(
                    net(), X, y, param_name="dropout", param_range=[0, 0.2], cv=3
                ),
            )
        ),
        6,
    ),
    "permutation test": (
        lambda: (
            lambda X, y: permutation_test_score(
                net(), X, y, cv=3, n_permutations=4, random_state=0
            )[1]
        ),
        12,
    ),
    "voting": (
        lambda: predicted(
            VotingClassifier(
                [("a", pipe()), ("b", pipe(dropout=0.3)), ("c", LogisticRegression())],
                voting="soft",
            )
        ),
        2,
    ),
    "stacking": (
        lambda: predicted(
            StackingClassifier([("a", pipe()), ("b", pipe(dropout=0.3))], cv=3)
        ),
        6,
    ),
    "bagging": (
        lambda: predicted(BaggingClassifier(net(), n_estimators=6, random_state=0)),
        6,
    ),
    "one against the rest": (lambda: predicted(OneVsRestClassifier(net())), 3),
    "one against one": (
        lambda: predicted(OneVsOneClassifier(net()), "decision_function"),
        3,
    ),
    "calibration": (lambda: predicted(CalibratedClassifierCV(pipe(), cv=3)), 3),
    "holdout": (
        lambda: (
            lambda X, y: cross_val_score(
                ValidationHoldout(pipe(), random_state=0), X, y, cv=3
            )
        ),
        3,
    ),
    "search of a search": (
        lambda: (
            lambda X, y: cross_val_score(GridSearchCV(pipe(), GRID, cv=2), X, y, cv=2)
        ),
        18,
    ),
    "vote of searches": (
        lambda: predicted(
            VotingClassifier(
                [
                    ("a", GridSearchCV(pipe(), GRID, cv=2)),
                    ("b", CalibratedClassifierCV(OneVsRestClassifier(net()), cv=2)),
                ],
                voting="soft",
            )
        ),
        15,
    ),
}
