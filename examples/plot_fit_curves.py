"""
When to stop: fit curves
========================

The same network on noisy data, trained to the end and with early stopping. The training
loss falls all the way; the validation loss does not.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV

from sklearn_deep import FitCurveDisplay, MLPClassifier

X, y = make_classification(
    1500, 20, n_informative=8, flip_y=0.15, class_sep=0.8, random_state=0
)
X_train, y_train, X_val, y_val = X[:1000], y[:1000], X[1000:], y[1000:]
network = MLPClassifier(
    dropout=0.0,
    weight_decay=0.0,
    learning_rate=1e-3,
    learning_rate_schedule="constant",
    max_epochs=60,
    n_iter_no_change=10,
    random_state=0,
)

# %%
# With ``early_stopping=False`` a validation set that is given is only recorded. With True,
# training stops ten epochs after the best one, whose weights come back.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, stops in zip(axes, (False, True), strict=True):
    network.set_params(early_stopping=stops)
    network.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    FitCurveDisplay.from_estimator(network, ax=ax)
    accuracy = network.score(X_val, y_val)
    ax.set_title(f"early_stopping={stops}: validation accuracy {accuracy:.3f}")
plt.show()

# %%
# The best candidates of a search, trained once more as one stack. Dots mark the epochs that
# the weights are from, bars the ends of fits that were stopped early.

network.set_params(early_stopping=True)
grid = {"learning_rate": [3e-4, 1e-3, 1e-2], "dropout": [0.0, 0.3]}
search = GridSearchCV(network, grid, cv=3).fit(X_train, y_train)
FitCurveDisplay.from_search(search, X_train, y_train, n_best=4)
plt.show()

# %%
# The history says the same in numbers, and ``stop_reason_`` why it ended.

print(network.stop_reason_, network.best_epoch_, network.n_iter_)
network.history_.tail(3)
