"""
Early stopping in a Pipeline, without a leak
============================================

A feature selection that has seen the validation rows makes them look easy. Here X is pure
noise: no network can learn anything that holds. :class:`~sklearn_deep.ValidationHoldout`
takes the rows out before any transformer is fitted.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline

from sklearn_deep import FitCurveDisplay, MLPClassifier, ValidationHoldout

rng = np.random.default_rng(0)
X, y = rng.normal(size=(200, 5000)), rng.integers(0, 2, 200)


def pipeline():
    """The best 50 of 5,000 columns, and a network with early stopping."""
    network = MLPClassifier(
        (32,), early_stopping=True, validation_fraction=0.25, random_state=0
    )
    return make_pipeline(SelectKBest(k=50), network)


leaking = pipeline().fit(X, y)
honest = ValidationHoldout(pipeline(), validation_fraction=0.25, random_state=0).fit(
    X, y
)

# %%
# Inside the Pipeline, the validation loss promises a good classifier. It is a coin.

X_new, y_new = rng.normal(size=(2000, 5000)), rng.integers(0, 2, 2000)
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, model, title in zip(
    axes, (leaking, honest), ("Pipeline alone", "ValidationHoldout"), strict=True
):
    FitCurveDisplay.from_estimator(model, ax=ax)
    ax.axhline(np.log(2), color="k", linewidth=0.8, linestyle=":")
    ax.set_title(f"{title}: accuracy on new rows {model.score(X_new, y_new):.2f}")
plt.show()
