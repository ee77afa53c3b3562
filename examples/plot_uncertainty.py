"""
How sure is a prediction?
=========================

Two ways to a band around a regression: the gaussian loss learns a mean and a standard
deviation, the quantile loss learns several quantiles with one network. They never cross.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_deep import MLPRegressor

rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-3, 3, 800))
noise = 0.1 + 0.4 / (1 + np.exp(-2 * x))
y = 10 * (np.sin(1.5 * x) + noise * rng.normal(size=800))
X = x[:, None]

gaussian = MLPRegressor((64, 64), loss="gaussian", random_state=0).fit(X, y)
mean, std = gaussian.predict(X, return_std=True)
quantiles = MLPRegressor(
    (64, 64),
    loss="quantile",
    loss_params={"quantile": [0.05, 0.5, 0.95]},
    random_state=0,
).fit(X, y)
low, median, high = quantiles.predict(X).T

# %%
# Both should hold nine in ten of the points.

bands = {
    "gaussian: mean ± 1.64 std": (mean - 1.64 * std, mean + 1.64 * std),
    "quantiles 5 % and 95 %": (low, high),
}
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, (title, (low, high)) in zip(axes, bands.items(), strict=True):
    inside = np.mean((low <= y) & (y <= high))
    ax.plot(x, y, ".", color="0.6", markersize=3)
    ax.fill_between(x, low, high, alpha=0.4)
    ax.set(title=f"{title}: {inside:.0%} inside", xlabel="x")
axes[0].plot(x, mean)
axes[1].plot(x, median)
axes[0].set_ylabel("y")
plt.show()
