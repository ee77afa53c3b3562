"""
A search that is killed, twice
==============================

A grid search in a process of its own is killed while its networks train, and once more while
the best one is trained on all rows. Each time the same script goes on where it was.
"""

import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_deep import checkpoint_report

# %%
# The script is an ordinary search; ``checkpoint`` is the only addition. Its states are stored
# every 30 seconds by default, and here after each epoch, as nobody should wait that long for
# an example. A fit is found again by what decides its result: it needs a ``random_state``.

SCRIPT = """
import pickle, sys
import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn_deep import Checkpoint, MLPClassifier

folder, result = sys.argv[1:]
X, y = load_digits(return_X_y=True)
network = MLPClassifier(
    (64,),
    max_epochs=30,
    n_iter_no_change=None,
    random_state=0,
    checkpoint=Checkpoint(folder, every_epochs=1),
)
grid = {"dropout": [0.0, 0.2], "weight_decay": [0.01, 0.1]}
with joblib.parallel_config(backend="stacked"):
    search = GridSearchCV(network, grid, cv=3).fit(X / 16, y)
with open(result, "wb") as file:
    pickle.dump(search, file)
"""

place = Path(tempfile.mkdtemp())
(place / "search.py").write_text(SCRIPT)


def start(folder):
    """The search in a process of its own, with its states in a folder."""
    (place / folder).mkdir(exist_ok=True)
    command = [
        sys.executable,
        place / "search.py",
        place / folder,
        place / f"{folder}.pkl",
    ]
    return subprocess.Popen(command)


def kill_when(condition):
    """Kill the search when its states meet a condition; what was there then."""
    with start("killed") as process:
        while process.poll() is None:
            report = checkpoint_report(place / "killed")
            if condition(report.columns["status"], report.columns["epochs"]):
                process.kill()  # kill -9: nothing can be put in order
                return checkpoint_report(place / "killed")
            time.sleep(0.01)
    raise RuntimeError("the search was faster than the one who kills it")


# %%
# The first kill comes when 12 networks, 4 candidates in 3 folds, are half trained.

print(kill_when(lambda status, epochs: len(epochs) == 12 and min(epochs) >= 10))

# %%
# The second one comes when all of them are done, and the best one is being trained on all rows.

report = kill_when(
    lambda status, epochs: (
        status.count("finished") == 12
        and any(
            s == "unfinished" and e >= 12 for s, e in zip(status, epochs, strict=True)
        )
    )
)
killed_at = report.columns["epochs"][report.columns["status"].index("unfinished")]
print(f"{len(report)} states; that of the last network after epoch {killed_at}")

# %%
# The third run comes to its end. Beside it, the same search without any interruption.

for folder in ("killed", "whole"):
    with start(folder) as process:
        assert process.wait() == 0
killed, whole = (
    pickle.loads((place / f"{folder}.pkl").read_bytes())
    for folder in ("killed", "whole")
)

scores = [search.cv_results_["mean_test_score"] for search in (killed, whole)]
weights = [search.best_estimator_.module_.state_dict() for search in (killed, whole)]
print("equal scores: ", np.array_equal(*scores))
print(
    "equal weights:",
    all(np.array_equal(weights[0][k], weights[1][k]) for k in weights[0]),
)

# %%
# The curves of the best network lie on one another: the second kill left no trace.

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, colour in [("train_loss", "C0"), ("valid_loss", "C1")]:
    histories = (search.best_estimator_.history_ for search in (whole, killed))
    curves = [history[name].to_numpy() for history in histories]
    epochs = np.arange(1, len(curves[0]) + 1)
    ax.plot(epochs, curves[0], color=colour, linewidth=7, alpha=0.3)
    ax.plot(epochs, curves[1], color=colour, linewidth=1.5, linestyle="--")
    ax.annotate(
        name, (epochs[-1], curves[0][-1]), (6, 0), textcoords="offset points", color=colour,
        va="center",
    )  # fmt: skip
ax.axvline(killed_at + 0.5, color="C3", linewidth=1)
ax.annotate(
    "killed here", (killed_at + 0.5, ax.get_ylim()[0]), (6, 6),
    textcoords="offset points", color="C3",
)  # fmt: skip
ax.plot([], [], color="C7", linewidth=7, alpha=0.3, label="never interrupted")
ax.plot(
    [], [], color="C7", linewidth=1.5, linestyle="--", label="killed twice and resumed"
)
ax.set(xlabel="epoch", ylabel="loss", yscale="log", xlim=(0, 1.12 * epochs[-1]))
ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.62, 1.0))
ax.spines[["top", "right"]].set_visible(False)
plt.show()
