"""
The smallest network that is as good
====================================

How many units a network can lose, and how many connections, are hyperparameters: a search
over ``keep`` and ``amount`` finds the smallest network that scores within a point of the whole
one. Here on handwritten digits, with half of the rows to compare on: of fewer, differences
between good networks would be noise.
"""

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import CompressionDisplay, MLPClassifier, Pruned, Quantized, Sliced

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.astype("float32"), y, test_size=0.5, stratify=y, random_state=0
)
network = MLPClassifier((128, 128), max_epochs=30, random_state=0)

# %%
# ``Sliced`` removes units, ``Pruned`` sets connections between the others to zero. Of all
# settings whose mean score is within a point of the best, the search takes the one with the
# fewest connections.


def fewest_connections(results):
    """Index of the smallest network within a point of the best score."""
    mean = results["mean_test_score"]
    good = np.flatnonzero(mean >= mean.max() - 0.01)
    keep, amount = (
        np.array([p[name] for p in results["params"]])
        for name in ("pruned__estimator__keep", "pruned__amount")
    )
    connections = keep**2 * (1 - amount)  # about: a layer of units and one before it
    return int(good[connections[good].argmin()])


small = Pruned(Sliced(network, fine_tune_epochs=5), fine_tune_epochs=10)
search = GridSearchCV(
    make_pipeline(StandardScaler(), small),
    {
        "pruned__estimator__keep": [0.25, 0.5, 0.75, 1.0],
        "pruned__amount": [0, 0.5, 0.8],
    },
    cv=3,
    refit=fewest_connections,
)
with joblib.parallel_config(backend="stacked"):
    search.fit(X_train, y_train)
print(search.best_params_)
print(search.best_estimator_[-1].architecture_)

# %%
# Mean scores of all settings: how far units and connections can go before the score does.

mean = search.cv_results_["mean_test_score"].reshape(3, 4)
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
image = axes.imshow(mean, cmap="viridis")
axes.set_xticks(range(4), ["0.25", "0.5", "0.75", "1"])
axes.set_yticks(range(3), ["0", "0.5", "0.8"])
axes.set(xlabel="keep (units)", ylabel="amount (connections at zero)")
for (row, column), score in np.ndenumerate(mean):
    light = score < mean.min() + (mean.max() - mean.min()) / 2
    color = "white" if light else "black"
    axes.text(column, row, f"{score:.3f}", ha="center", va="center", color=color)
axes.set_title("Mean accuracy of three folds")

# %%
# Scores on rows that no search has seen, against size and time. Integers of 8 bits make the
# file smaller; fewer units make it smaller, and predictions quicker.

scaler = search.best_estimator_[0]
found = search.best_estimator_[-1]
rows, others = scaler.transform(X_train), scaler.transform(X_test)
dense = network.fit(rows, y_train)
models = {
    "dense": dense,
    "quantized": Quantized(dense, prefit=True).fit(rows, y_train),
    "found": found,
}
display = CompressionDisplay.from_estimators(
    models.values(), others, y_test, names=list(models)
)
print(display.report)
