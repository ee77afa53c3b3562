"""
=======================
Few labels: fine-tuning
=======================

A network has learnt to tell ten digits apart. A new question comes with few labels: does the
digit have a closed loop, as 0, 6, 8 and 9 have? A network that begins as the first one needs
fewer labels than one that begins anew.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from sklearn_deep import FineTuned, MLPClassifier

X, digit = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
loop = np.isin(digit, (0, 6, 8, 9))
known, X_new, loop_new = slice(900), X[900:], loop[900:]
X_test, loop_test = X_new[200:], loop_new[200:]

# %%
# The pretrained network. A FrozenEstimator keeps it as it is in clones and searches.
source = MLPClassifier((64, 32), max_epochs=40, random_state=0)
source = FrozenEstimator(source.fit(X[known], digit[known]))

# %%
# ``FineTuned`` takes over its layers, and draws a new head for the two classes. By default
# only the head is trained; with ``freeze=None`` all layers are, the lower ones slower.
network = MLPClassifier(max_epochs=40, random_state=0)
models = {
    "begins anew": MLPClassifier((64, 32), max_epochs=40, random_state=0),
    "pretrained, head trained": FineTuned(network, source, on_worse="ignore"),
    "pretrained, all trained": FineTuned(
        network, source, freeze=None, on_worse="ignore"
    ),
}

# %%
# Accuracy by the number of labels, as means of three draws.
n_labels = [10, 20, 40, 80]
scores = {name: np.zeros(len(n_labels)) for name in models}
for draw in range(3):
    rows = np.random.default_rng(draw).permutation(200)
    for place, n in enumerate(n_labels):
        some = rows[:n]
        for name, model in models.items():
            model.fit(X_new[some], loop_new[some])
            scores[name][place] += model.score(X_test, loop_test) / 3

for name, means in scores.items():
    plt.plot(n_labels, means, marker="o", label=name)
    print(f"{name}: {means.round(3)}")
plt.xscale("log")
plt.xticks(n_labels, n_labels)
plt.minorticks_off()
plt.xlabel("labels")
plt.ylabel("accuracy on test rows")
plt.legend()
plt.show()

# %%
# What is frozen, and what is trained: the head alone, then one stage more after each 5 epochs.
gradual = FineTuned(network, source, unfreeze_at="gradual", head_epochs=5)
gradual.fit(X_new[:80], loop_new[:80])
print(gradual.layers_)
print("head on the frozen network:", round(gradual.source_score_, 3))
