"""
===========================
Data that cannot be pooled
===========================

Four owners have digits that they may not share, and most of them have only a few of the ten
digits. In each round they train copies of one network on their own rows, and a server averages
the weights. Rows stay where they are; the scaler in front is fitted by counts, means and
variances of the owners.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import FederatedClassifier, MLPClassifier

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Each digit is divided among the owners by a Dirichlet distribution of concentration 0.2.
rng = np.random.default_rng(1)
owner = np.empty(len(y), int)
for digit in range(10):
    rows = np.flatnonzero(y == digit)
    owner[rows] = rng.choice(4, len(rows), p=rng.dirichlet(np.full(4, 0.2)))
print(np.array([np.bincount(y[owner == k], minlength=10) for k in range(4)]))

# %%
# What a network of all rows would know, and what owners know alone.
network = MLPClassifier((64,), learning_rate=0.01, batch_size=32, random_state=0)
pipe = make_pipeline(StandardScaler(), network)
pooled = clone(pipe).fit(X, y).score(X_test, y_test)
alone = [
    clone(pipe).fit(X[owner == k], y[owner == k]).score(X_test, y_test)
    for k in range(4)
]
print(pooled, alone)

# %%
# Thirty rounds of three epochs. With ``early_stopping``, each owner holds rows out, and the
# history has the score of the server's network on those of all owners. Owners of different
# rows drift apart within a round; FedProx pulls them back.
for strategy, params in {"FedAvg": None, "FedProx": {"proximal_mu": 0.1}}.items():
    model = FederatedClassifier(
        pipe,
        strategy=strategy,
        strategy_params=params,
        rounds=30,
        local_epochs=3,
        early_stopping=True,
        n_iter_no_change=30,
        validation_fraction=0.2,
        random_state=0,
    ).fit(X, y, groups=owner)
    scores = [row["score"] for row in model.history_.to_dict("records")]
    plt.plot(range(1, 31), scores, label=strategy)
    print(strategy, model.score(X_test, y_test))

plt.axhline(pooled, color="black", linestyle="--", label="all rows together")
plt.axhspan(min(alone), max(alone), color="gray", alpha=0.3, label="owners alone")
plt.xlabel("round")
plt.ylabel("accuracy on rows held out")
plt.legend()
plt.show()

# %%
# ``estimator_`` is a Pipeline like any other: ``save``, ``to_onnx`` and ``Pruned`` take it.
print(model.estimator_)
