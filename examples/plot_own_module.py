"""
A module of one's own, from a search to ONNX
============================================

Any ``torch.nn.Module`` becomes a regressor whose constructor arguments are searched like
any other parameter. This one learns frequencies: sines and cosines of its inputs, which a
plain network has to build from bends (Gorishniy et al., arXiv:2203.05556).
"""

import joblib
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_deep import (
    MLPRegressor,
    ModuleRegressor,
    OnnxRegressor,
    stacking_report,
    to_onnx,
)


class Periodic(nn.Module):
    """Learnt frequencies, and a small network on their sines and cosines."""

    def __init__(self, n_features, n_outputs, n_frequencies=16, scale=1.0):
        super().__init__()
        self.frequencies = nn.Parameter(scale * torch.randn(n_features, n_frequencies))
        self.layers = nn.Sequential(
            nn.Linear(2 * n_frequencies, 64), nn.ReLU(), nn.Linear(64, n_outputs)
        )

    def forward(self, x):
        """Map (n_rows, n_features) to (n_rows, n_outputs)."""
        angles = x @ self.frequencies
        return self.layers(torch.cat([angles.sin(), angles.cos()], 1))


rng = np.random.default_rng(0)
x = rng.uniform(-3, 3, 300)
y = np.sin(9 * x) * np.exp(-((x / 2) ** 2)) + x / 3 + 0.1 * rng.normal(size=300)
X = x[:, None]

# %%
# ``n_features`` and ``n_outputs`` are filled in, because the constructor names them. The
# initial frequencies come from ``random_state``, though the module draws them with
# ``torch.randn``: the same seed gives the same network, and torch's global generator is
# left alone. Modules of one kind are trained at once, where torch's ``vmap`` knows how.

network = ModuleRegressor(Periodic, learning_rate=0.01, max_epochs=100, random_state=0)
pipe = make_pipeline(StandardScaler(), network)
grid = {"moduleregressor__module__scale": [0.1, 1.0, 10.0]}
with joblib.parallel_config(backend="stacked"):
    search = GridSearchCV(pipe, grid, cv=4).fit(X, y)
print(search.best_params_, f"R^2 {search.best_score_:.2f}")
print(stacking_report())

# %%
# The whole search becomes one ONNX file, compared with ``predict`` before it is handed
# over. It is read without torch, and without the class.

export = to_onnx(search, X)
print(export)
reader = OnnxRegressor(export.to_bytes())

# A plain network can build the waves from bends, with a layer more and three times as many
# epochs. Early stopping is off, since its loss stands still for long before it falls.
mlp = MLPRegressor(
    (64, 64, 64),
    activation="silu",
    dropout=0,
    weight_decay=0,
    learning_rate=0.01,
    batch_size=32,
    max_epochs=300,
    early_stopping=False,
    random_state=0,
)
plain = make_pipeline(StandardScaler(), mlp).fit(X, y)
line = np.linspace(-3, 3, 1000)[:, None]
figure, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ax.plot(x, y, ".", color="0.7", markersize=3)
ax.plot(line, plain.predict(line), label="MLPRegressor,\n300 epochs")
ax.plot(line, reader.predict(line), label="Periodic, 100 epochs,\nfrom its ONNX file")
ax.set(xlabel="x", ylabel="y")
figure.legend(loc="outside right upper")
plt.show()
