"""
==============================
A network from another library
==============================

A network that scikit-learn trained is trained further here, on rows with noise, which
scikit-learn does not have. Then it becomes one ONNX file, and comes back from it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sklearn_deep import GaussianNoise, from_onnx, from_sklearn, to_onnx

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# The network of scikit-learn, and the same one here.
mlp = MLPClassifier((64,), solver="lbfgs", max_iter=60, random_state=0)
mlp.fit(X_train, y_train)
network = from_sklearn(mlp)
print("same labels:", (network.predict(X_test) == mlp.predict(X_test)).all())

# %%
# It is trained further on noisy rows.
tuned = from_sklearn(mlp).set_params(
    optimizer="adamw",
    learning_rate=2e-3,
    augmentation=GaussianNoise(0.3),
    warm_start=True,
    early_stopping=False,
    max_epochs=40,
    batch_size=64,
    random_state=0,
)
tuned.fit(X_train, y_train)

# %%
# Noise costs the network of scikit-learn more than the one that was trained further.
levels = np.linspace(0, 0.6, 7)
noise = np.random.default_rng(0).normal(size=X_test.shape).astype(np.float32)
for name, model in {"scikit-learn": mlp, "trained further": tuned}.items():
    scores = [model.score(X_test + level * noise, y_test) for level in levels]
    plt.plot(levels, scores, marker="o", label=name)
plt.xlabel("standard deviation of the noise")
plt.ylabel("accuracy on test rows")
plt.legend()
plt.show()

# %%
# One file, and back: the weights in it can be trained again.
content = to_onnx(tuned, X_train).to_bytes()
back = from_onnx(content)
print(back.receipt_)
print("same labels:", (back.predict(X_test) == tuned.predict(X_test)).all())
