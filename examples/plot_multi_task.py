"""
============================
One network, several targets
============================

A network that learns a classification and two regressions at once, where most of the targets
are missing: each row was measured for some of them only.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sklearn_deep import MLPClassifier, MLPRegressor, MultiTask

# %%
# Three targets that depend on the same two directions of X.
rng = np.random.default_rng(0)
X = rng.normal(size=(1200, 8))
first, second = np.sin(2 * X[:, 0] + X[:, 1]), np.cos(X[:, 2] - X[:, 3])
y = pd.DataFrame(
    {
        "strength": 50 + 10 * (first + second) + rng.normal(size=len(X)),
        "density": 2 + first * second + 0.1 * rng.normal(size=len(X)),
        "grade": np.array(["A", "B", "C"])[np.digitize(first - second, [-0.5, 0.5])],
    }
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=0)

# %%
# A share of the cells is removed. MultiTask leaves them out of its loss; a network per target
# has the rows left that have its target.
settings = {"hidden_layer_sizes": (64, 64), "max_epochs": 60, "batch_size": 32}
settings |= {"early_stopping": False, "random_state": 0}


def score_together(targets, **params):
    """Score one network for all targets."""
    model = MultiTask(MLPRegressor(**settings), **params).fit(X_train, targets)
    return model.score(X_test, y_test)


def score_apart(targets):
    """Score a network per target, each on the rows that have it."""
    scores = []
    for name in targets:
        known = targets[name].notna()
        kind = MLPClassifier if name == "grade" else MLPRegressor
        network = kind(**settings).fit(X_train[known], targets[name][known])
        scores.append(network.score(X_test, y_test[name]))
    return np.mean(scores)


shares = [0, 0.2, 0.4, 0.6, 0.8]
curves = {"a network per target": [], "balanced": [], "uncertainty": []}
for share in shares:
    gaps = np.random.default_rng(1).random(y_train.shape) < share
    targets = y_train.mask(gaps)
    curves["a network per target"].append(score_apart(targets))
    for weight in ("balanced", "uncertainty"):
        curves[weight].append(score_together(targets, task_weight=weight))

# %%
# The mean of two R^2 and an accuracy on complete test rows. The networks per target take three
# trainings, and fewer steps where targets are missing.
for name, scores in curves.items():
    plt.plot(shares, scores, marker="o", label=name)
plt.xlabel("share of the targets that is missing")
plt.ylabel("mean score on test rows")
plt.legend()
plt.show()

# %%
# Predictions have the columns and types of y, and each task is an estimator of its own.
model = MultiTask(MLPRegressor(**settings)).fit(X_train, y_train)
print(model.predict(X_test).head())
print(model.task_scores(X_test, y_test))
print(model.task("grade"))
