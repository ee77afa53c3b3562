"""
Batch size against learning rate
================================

The best learning rate depends on the batch size. With ``learning_rate_scaling`` the rate is
meant for batches of 256 rows and follows the batch: one number then suits all.
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
rates = np.geomspace(3e-3, 3, 9)
batch_sizes = (16, 64, 256)


def validation_loss(**params):
    """Validation loss after six epochs of plain gradient descent."""
    network = MLPClassifier(
        (64,),
        optimizer="sgd",
        dropout=0.0,
        weight_decay=0.0,
        learning_rate_schedule="constant",
        max_epochs=6,
        early_stopping=False,
        random_state=0,
        **params,
    )
    try:
        network.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    except TrainingDivergedError:
        return np.nan
    return network.history_["valid_loss"].iloc[-1]


figure, axes = plt.subplots(
    1, 2, figsize=(10, 4), sharey=True, sharex=True, layout="constrained"
)
for ax, scaling in zip(axes, (None, "linear"), strict=True):
    for batch_size in batch_sizes:
        losses = [
            validation_loss(
                learning_rate=rate, batch_size=batch_size, learning_rate_scaling=scaling
            )
            for rate in rates
        ]
        (line,) = ax.plot(rates, losses, label=f"batch_size={batch_size}")
        best = int(np.nanargmin(losses))
        ax.plot(rates[best], losses[best], "o", color=line.get_color())
    ax.set(xscale="log", ylim=(0, 2.5), xlabel="learning_rate")
    ax.set_title(f"learning_rate_scaling={scaling!r}")
axes[0].set_ylabel("validation loss after 6 epochs")
axes[0].legend()
plt.show()
