"""
Batch size against learning rate
================================

A step over a larger batch is less noisy, and an epoch has fewer of them: the learning
rate has to grow with the batch. With ``learning_rate_scaling`` it does so by itself:
``learning_rate`` is then meant for batches of 256 rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_deep import MLPClassifier, TrainingDivergedError

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    (X / 16).astype("float32"), y, stratify=y, random_state=0
)


def validation_loss(**params):
    """Validation loss after six epochs at a constant learning rate, mean of two fits."""
    losses = []
    for seed in (0, 1):
        network = MLPClassifier(
            (64,),
            dropout=0.0,
            weight_decay=0.0,
            learning_rate_schedule="constant",
            max_epochs=6,
            early_stopping=False,
            random_state=seed,
            **params,
        )
        try:
            network.fit(X_train, y_train, X_val=X_val, y_val=y_val)
        except TrainingDivergedError:
            return np.nan
        losses.append(network.history_["valid_loss"].iloc[-1])
    return np.mean(losses)


# %%
# On the left each batch size has a curve of its own. On the right, with ``"linear"``, those
# of plain gradient descent lie upon one another, up to a rate that is too large for the
# largest batch. adamw divides its steps by the size of the gradient already; ``"sqrt"`` brings
# its curves closer together, though a large batch still falls behind at small rates.

batch_sizes = (32, 64, 256)
rows = {
    "sgd": (np.geomspace(0.03, 3, 6), (None, "linear")),
    "adamw": (np.geomspace(1e-3, 0.1, 6), (None, "sqrt")),
}
figure, axes = plt.subplots(
    2, 2, figsize=(10, 6.5), sharex="row", sharey=True, layout="constrained"
)
for pair, (optimizer, (rates, scalings)) in zip(axes, rows.items(), strict=True):
    for ax, scaling in zip(pair, scalings, strict=True):
        for batch_size in batch_sizes:
            losses = [
                validation_loss(
                    optimizer=optimizer,
                    learning_rate=rate,
                    batch_size=batch_size,
                    learning_rate_scaling=scaling,
                )
                for rate in rates
            ]
            ax.plot(rates, losses, "o-", label=f"batch_size={batch_size}")
        ax.set(xscale="log", ylim=(0, 2.5), xlabel="learning_rate")
        ax.set_title(f"{optimizer}, learning_rate_scaling={scaling!r}")
for ax in axes[:, 0]:
    ax.set_ylabel("validation loss, 6 epochs")
figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
plt.show()
