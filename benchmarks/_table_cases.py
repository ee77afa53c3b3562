"""A table of numbers, categories and holes, and a search over it."""

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from sklearn_deep import TabularClassifier

N_NUMBERS, HOLES = 8, 0.05
CARDINALITIES = [2, 3, 4, 6, 12, 40]

# 20 settings.
GRID = {
    "learning_rate": [0.03, 0.05, 0.1, 0.15, 0.2],
    "dropout": [0.0, 0.1],
    "weight_decay": [0.02, 0.1],
}


def frame(n_rows, seed=0):
    """8 numbers, 5 % of them missing, 6 columns of text, and labels of two classes."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_rows, N_NUMBERS))
    codes = [rng.integers(0, k, n_rows) for k in CARDINALITIES]
    score = np.sin(3 * numbers[:, 0]) + numbers[:, 1] * numbers[:, 2]
    score += codes[2] - codes[4] / 4 + rng.normal(size=n_rows)
    numbers[rng.random(numbers.shape) < HOLES] = np.nan
    X = pd.DataFrame(numbers, columns=[f"number {j}" for j in range(N_NUMBERS)])
    for k, values in zip(CARDINALITIES, codes, strict=True):
        X[f"text of {k}"] = [f"value {v}" for v in values]
    return X, np.where(score > 0, "yes", "no")


def search(n_rows, n_networks, n_jobs=None):
    """20 settings of an ensemble, each trained once."""
    X, y = frame(n_rows)
    one_split = ShuffleSplit(1, test_size=0.2, random_state=0)
    net = TabularClassifier(n_networks=n_networks, random_state=0)
    GridSearchCV(net, GRID, cv=one_split, refit=False, n_jobs=n_jobs).fit(X, y)
