"""
Finding a learning rate
=======================

The range test takes steps at ever larger learning rates. Too small a rate changes
nothing, too large a one blows the loss up; a good one lies on the slope between.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sklearn_deep import LearningRateFinder, MLPClassifier

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# The right rate depends on the optimizer, by orders of magnitude.

figure, ax = plt.subplots(layout="constrained")
for optimizer in ("adamw", "nesterov", "sgd"):
    network = MLPClassifier(optimizer=optimizer, weight_decay=0.0, random_state=0)
    finder = LearningRateFinder(network).fit(X, y)
    (line,) = ax.plot(finder.learning_rates_, finder.losses_, label=optimizer)
    ax.axvline(finder.suggestion_, color=line.get_color(), linestyle="--")
    print(f"{optimizer}: {finder.suggestion_:.1e}")
ax.set(xscale="log", xlabel="learning rate", ylabel="training loss (smoothed)")
ax.set(ylim=(0, 4), title="dashed: the suggestion")
figure.legend(loc="outside right upper")
plt.show()

# %%
# ``learning_rate="auto"`` runs the same test inside ``fit``.

network = MLPClassifier(learning_rate="auto", max_epochs=10, random_state=0).fit(X, y)
print(f"{network.learning_rate_:.1e}", round(network.score(X, y), 3))
