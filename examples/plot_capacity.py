"""
================================
How large should the network be?
================================

A network for digits, a fifth of whose labels are wrong, in nine sizes, each trained without
any regularisation. The smallest ones learn too little; those in the middle learn the wrong
labels by heart, and their test error rises; the largest ones, which fit every training row as
well, are better again. This is the double descent of arXiv:1812.11118.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_deep import CapacityCurveDisplay, MLPClassifier, capacity_curve, summary

X, y = load_digits(return_X_y=True)
X, y = X[:600] / 16, y[:600]
rng = np.random.default_rng(0)
y = np.where(rng.random(600) < 0.2, rng.integers(0, 10, 600), y)

network = MLPClassifier(
    (32,),
    dropout=0.0,
    weight_decay=0.0,
    early_stopping=False,
    max_epochs=100,
    random_state=0,
)

# %%
# All fits are one search in the stacked backend. The mark is the smallest size whose score is
# within one standard error of the best.
curve = capacity_curve(
    network, X, y, sizes=[1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32], cv=3
)
CapacityCurveDisplay(curve).plot()
plt.show()
print(curve, "\ndouble descent:", curve.double_descent)

# %%
# What the marked size consists of:
chosen = network.set_params(**curve.params[curve.smallest_index])
print(summary(chosen, X, y))
