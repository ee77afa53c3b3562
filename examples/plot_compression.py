"""
The smallest network that is as good
====================================

How many units a network can lose is a hyperparameter: a search over ``keep`` finds the
smallest that scores as well as the whole one.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_deep import CompressionDisplay, MLPClassifier, Pruned, Sliced

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    (X / 16).astype("float32"), y, stratify=y, random_state=0
)
network = MLPClassifier((256, 256), max_epochs=20, random_state=0)

# %%
# The search prefers fewer units among those whose mean score is within one standard
# error of the best.


def smallest_good(results):
    """Index of the smallest ``keep`` within one standard error of the best score."""
    mean, std = results["mean_test_score"], results["std_test_score"]
    best = mean.argmax()
    good = mean >= mean[best] - std[best] / np.sqrt(3)
    keep = np.array(results["param_keep"], dtype=float)
    return int(np.flatnonzero(good)[keep[good].argmin()])


search = GridSearchCV(
    Sliced(network, fine_tune_epochs=5),
    {"keep": [0.1, 0.25, 0.5, 1.0]},
    cv=3,
    refit=smallest_good,
)
search.fit(X_train, y_train)
print(search.best_params_, search.best_estimator_.architecture_)

# %%
# Score against size and against time, of single fits. To the right and below is worse.

dense = network.fit(X_train, y_train)
models = {"dense": dense, "found": search.best_estimator_}
for keep in (0.5, 0.1):
    models[f"keep={keep}"] = Sliced(FrozenEstimator(dense), keep).fit(X_train, y_train)
models["pruned"] = Pruned(FrozenEstimator(dense), 0.9).fit(X_train, y_train)

display = CompressionDisplay.from_estimators(
    models.values(), X_test, y_test, names=list(models)
)
print(display.report)
