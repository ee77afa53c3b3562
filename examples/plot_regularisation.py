"""
Holding a large network back
============================

A network of 256 units could learn 300 noisy rows by heart: a fifth of the labels are
wrong. Each kind of regularisation keeps it from doing so, in its own way; each has a
strength that is best.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.model_selection import validation_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier

X, y = make_classification(
    300, 30, n_informative=6, n_redundant=0, flip_y=0.2, random_state=0
)
network = MLPClassifier(
    (256,), dropout=0.0, weight_decay=0.0, max_epochs=30, random_state=0
)
pipe = make_pipeline(StandardScaler(), network)
strengths = {
    "dropout": [0.0, 0.5, 0.8, 0.9, 0.95, 0.98],
    "weight_decay": [0.0, 1.0, 3.0, 10.0, 30.0],
    "l1": [0.0, 0.001, 0.003, 0.01, 0.03],
    "label_smoothing": [0.0, 0.2, 0.4, 0.6, 0.8],
}

# %%
# From the left to the right of each picture the training loss rises. The validation loss
# falls at first, while what is suppressed is mostly noise, and rises again where the network
# is held back from the rest too. A dotted line marks the best strength.

figure, axes = plt.subplots(1, 4, figsize=(13, 3.4), sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, strengths.items(), strict=True):
    train, test = validation_curve(
        pipe,
        X,
        y,
        param_name=f"mlpclassifier__{name}",
        param_range=values,
        cv=5,
        scoring="neg_log_loss",
        n_jobs=2,
    )
    places = range(len(values))
    ax.plot(places, -train.mean(axis=1), "o-", label="training")
    ax.plot(places, -test.mean(axis=1), "o-", label="validation")
    ax.axvline(test.mean(axis=1).argmax(), color="0.5", linestyle=":")
    ax.set_xticks(places, [f"{value:g}" for value in values])
    ax.set(xlabel=name, ylim=(0, None))
axes[0].set_ylabel("log loss")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
plt.show()
