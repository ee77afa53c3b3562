"""
The same search three ways
==========================

Eighty small networks: four learning rates, four weight decays, five folds. One after the
other, in a process for each core, and all at once.
"""

import time

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, stacking_report

X, y = load_digits(return_X_y=True)
X = X.astype("float32")
network = MLPClassifier((64,), batch_size=32, max_epochs=5, random_state=0)
pipe = make_pipeline(StandardScaler(), network)
grid = {
    "mlpclassifier__learning_rate": [1e-3, 3e-3, 1e-2, 3e-2],
    "mlpclassifier__weight_decay": [0.0, 0.01, 0.1, 1.0],
}


def search(**config):
    """The search under a configuration of joblib, and the seconds that it took."""
    start = time.perf_counter()
    with joblib.parallel_config(**config):
        found = GridSearchCV(pipe, grid, cv=5, refit=False).fit(X, y)
    return found, time.perf_counter() - start


# The processes are there then, and have imported what they need.
joblib.Parallel(n_jobs=-1)(joblib.delayed(pipe.get_params)() for _ in range(8))

searches = {
    "one after the other": search(n_jobs=1),
    "a process for each core": search(backend="loky", n_jobs=-1),
    "stacked": search(backend="stacked"),
}
print(stacking_report())

# %%
# The scores are the same, to rounding: a network does not depend on who trains it.

scores = [found.cv_results_["mean_test_score"] for found, _ in searches.values()]
print("largest difference between scores:", np.ptp(scores, axis=0).max())

figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
seconds = [taken for _, taken in searches.values()]
bars = ax.barh(list(searches), seconds, color=["C7", "C7", "C0"])
ax.bar_label(bars, fmt="%.1f s", padding=4)
ax.set(xlabel="seconds", xlim=(0, 1.15 * max(seconds)))
ax.set_title(f"80 fits, on {joblib.cpu_count()} cores")
ax.invert_yaxis()
plt.show()
