"""
=====================================
A file that is sorted, and too large
=====================================

A Parquet file whose rows are sorted by class, as exports of data bases often are. Batches in the
order of the file show the network one class after the other; the buffer of
:class:`~sklearn_deep.ChunkedFit` holds a twentieth of the rows, and batches drawn from it are as
good as those of shuffled rows in memory.
"""

import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_deep import ChunkedFit, MLPClassifier, SklearnDeepWarning

rng = np.random.default_rng(0)


def rows(n):
    """Three classes: the angle between two of six columns."""
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef"))
    angle = np.arctan2(X["a"] + 0.2 * rng.normal(size=n), X["b"])
    return X, ((angle + np.pi) // (2 * np.pi / 3)).clip(0, 2).astype(int)


X, y = rows(20_000)
X_test, y_test = rows(10_000)
path = Path(tempfile.mkdtemp()) / "sorted.parquet"
frame = X.assign(y=y).sort_values("y", kind="stable")
frame.to_parquet(path, row_group_size=500)

# %%
# The same network three times: from the file in its order, from the file through the buffer, and
# with all rows in memory.
network = MLPClassifier(
    (64,),
    max_epochs=4,
    learning_rate_schedule="constant",
    early_stopping=False,
    random_state=0,
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", SklearnDeepWarning)
    in_order = ChunkedFit(network, buffer_rows=1_000, shuffle=None).fit(path, "y")
    buffered = ChunkedFit(network, buffer_rows=1_000).fit(path, "y")
    in_memory = ChunkedFit(network).fit(X, y)

models = {
    "in file order": in_order,
    "from the buffer": buffered,
    "in memory": in_memory,
}
for name, model in models.items():
    quality = model.shuffle_quality_["y"]
    print(
        f"{name:16} accuracy {model.score(X_test, y_test):.3f}, quality {quality:.2f}"
    )

# %%
# The loss of each epoch, and what the networks predict for test rows.
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for name, model in models.items():
    left.plot(np.arange(1, 5), model.loss_curve_, marker="o", ms=4, label=name)
left.set(xlabel="epoch", ylabel="training loss")
left.legend()
shares = {
    name: np.bincount(m.predict(X_test), minlength=3) for name, m in models.items()
}
shares["true"] = np.bincount(y_test)
for k in range(3):
    below = [counts[:k].sum() for counts in shares.values()]
    right.barh(list(shares), [counts[k] for counts in shares.values()], left=below)
right.set(xlabel="test rows predicted for each class")
plt.show()
