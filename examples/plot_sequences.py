"""
Unequal sequences in a grid search
==================================

Strokes of a pen, of which each takes its own time: a list of arrays of shape (time, 2).
They go into a search as they are. Nothing is padded by hand, and nothing is computed for
padding.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_deep import RNNClassifier

rng = np.random.default_rng(0)


def line(t):
    """A straight stroke."""
    return np.stack([t, np.zeros_like(t)], 1)


def wave(t):
    """Up and down, twice."""
    return np.stack([t, 0.3 * np.sin(4 * np.pi * t)], 1)


def arc(t):
    """Half a circle."""
    return np.stack([t, np.sin(np.pi * t) / 2], 1)


def stroke(shape):
    """The steps of a pen: turned, shaky, and of 8 to 40 positions."""
    n = rng.integers(8, 41)
    path = shape(np.linspace(0, 1, n)) + rng.normal(0, 0.03, (n, 2))
    angle = rng.uniform(-0.8, 0.8)
    turn = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return path @ np.array(turn)


shapes = [line, wave, arc]
y = np.array([shape.__name__ for shape in shapes] * 80)
X = [stroke(shape) for shape in shapes * 80]

figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharex=True, sharey=True)
for ax, shape in zip(axes, shapes, strict=True):
    for i in np.flatnonzero(y == shape.__name__)[:4]:
        ax.plot(*X[i].T, ".-", markersize=3, label=f"{len(X[i])} steps")
    ax.set_title(shape.__name__)
    ax.legend(fontsize="x-small")
figure.tight_layout()

# %%
# ``train_test_split`` and ``GridSearchCV`` take the list apart by rows.

train, test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
network = RNNClassifier(max_epochs=30, learning_rate=0.02, random_state=0)
search = GridSearchCV(
    network, {"readout": ["last", "max"], "hidden_size": [8, 32]}, cv=2
)
search.fit(train, y_train)
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"{score:.2f} {params}")

# %%
# The best of them, on strokes that it has not seen.

ConfusionMatrixDisplay.from_estimator(search, test, y_test)
plt.show()
