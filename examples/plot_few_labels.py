"""
==========
Few labels
==========

Most digits here have no label. Pseudo-labels are the network's own labels of digits of which
it is sure: it is trained anew with them, in three rounds, and needs fewer true labels.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_deep import MLPClassifier, SemiSupervised

X, y = load_digits(return_X_y=True)
network = MLPClassifier((64,), max_epochs=40, early_stopping=False, random_state=0)
model = SemiSupervised(network, method="pseudo_label", threshold=0.8)

# %%
# The same network, with the labelled digits and with all digits: means over two draws.
# ``guard=None`` returns the latter in any case.
numbers = [30, 60, 120, 240]
scores = np.zeros((2, len(numbers), 2))
for draw in range(2):
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=draw)
    for i, n in enumerate(numbers):
        few = np.where(np.arange(len(y_train)) < n, y_train, -1)
        labels_only = network.fit(X_train[:n], y_train[:n])
        all_digits = model.set_params(guard=None).fit(X_train, few)
        scores[draw, i] = [m.score(X_test, y_test) for m in (labels_only, all_digits)]

for name, values in zip(["labels only", "all digits"], scores.mean(0).T, strict=True):
    plt.plot(numbers, values, marker="o", label=name)
plt.xscale("log")
plt.xticks(numbers, numbers)
plt.minorticks_off()
plt.xlabel("number of labels")
plt.ylabel("accuracy on test digits")
plt.legend()
plt.show()

# %%
# By default, both are compared on folds of the labelled digits, and the better one is
# returned. On other data the rows without a label may do harm.
model.set_params(guard="fall_back").fit(X_train, few)
print(model.chosen_, model.scores_)
