"""
Holding a large network back
============================

A network of 256 units on 150 rows, with one kind of regularisation at a time, each
over its strength.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import validation_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier

X, y = load_breast_cancer(return_X_y=True)
X, y = X[:150], y[:150]
network = MLPClassifier(
    (256,), dropout=0.0, weight_decay=0.0, max_epochs=30, random_state=0
)
pipe = make_pipeline(StandardScaler(), network)
strengths = {
    "dropout": [0.0, 0.3, 0.6, 0.8],
    "weight_decay": [0.0, 1.0, 3.0, 10.0],
    "l1": [0.0, 3e-4, 1e-3, 3e-3],
    "label_smoothing": [0.0, 0.1, 0.2, 0.4],
}

figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, strengths.items(), strict=True):
    train, test = validation_curve(
        pipe,
        X,
        y,
        param_name=f"mlpclassifier__{name}",
        param_range=values,
        cv=3,
        scoring="neg_log_loss",
    )
    places = range(len(values))
    ax.plot(places, -train.mean(1), "o-", label="training")
    ax.plot(places, -test.mean(1), "o-", label="validation")
    ax.set_xticks(places, [f"{value:g}" for value in values])
    ax.set(xlabel=name)
axes[0].set_ylabel("log loss")
axes[0].legend()
plt.show()
