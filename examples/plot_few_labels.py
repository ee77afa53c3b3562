"""
==========
Few labels
==========

Most digits here have no label. FixMatch takes the network's own labels of hardly changed
digits, if it is sure, as targets of strongly changed ones, and needs fewer true labels. The
guard of ``SemiSupervised`` compares it with a network of labels only, on the labelled
digits.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_deep import MLPClassifier, SemiSupervised

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
network = MLPClassifier((64,), max_epochs=60, early_stopping=False, random_state=0)

# %%
# The same network, with the labelled digits and with all digits.
numbers = [30, 60, 120, 240]
scores = {"labels only": [], "all digits": []}
for n in numbers:
    few = np.where(np.arange(len(y_train)) < n, y_train, -1)
    labels_only = network.fit(X_train[:n], y_train[:n])
    scores["labels only"].append(labels_only.score(X_test, y_test))
    model = SemiSupervised(network, method="fixmatch", threshold=0.8)
    model.fit(X_train, few)
    scores["all digits"].append(model.score(X_test, y_test))
    print(n, "labels:", model.chosen_, model.scores_)

# %%
for name, values in scores.items():
    plt.plot(numbers, values, marker="o", label=name)
plt.xscale("log")
plt.xticks(numbers, numbers)
plt.minorticks_off()
plt.xlabel("number of labels")
plt.ylabel("accuracy on test digits")
plt.legend()
plt.show()
