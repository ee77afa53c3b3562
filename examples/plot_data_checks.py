"""
Wrong labels, copies and leaks: check the data first
====================================================

Faults are planted in pictures of digits: a fifth of the labels are exchanged, and twenty test
pictures are among the training rows too. Three pixels are white in all pictures as it is.
``check_data`` finds all three with the network that is meant for the data.
"""

# %%
# The faults
# ----------
# What was exchanged is kept, to compare later.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, check_data

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
rng = np.random.default_rng(0)
flipped = rng.choice(len(y_train), len(y_train) // 5, replace=False)
y_train[flipped] = (y_train[flipped] + rng.integers(1, 10, len(flipped))) % 10
X_train = np.concatenate([X_train, X_test[:20]])
y_train = np.concatenate([y_train, y_test[:20]])

# %%
# The report
# ----------
# Each finding has a test behind it, and a line that does what it advises.
network = make_pipeline(StandardScaler(), MLPClassifier((64,), random_state=0))
checks = ["duplicates", "leaks", "labels", "constant", "identifiers"]
report = check_data(
    X_train, y_train, X_test, estimator=network, checks=checks, random_state=0
)
print(report)

# %%
# The labels that it doubts most
# ------------------------------
# The title has the given label and the suggested one; those in red were exchanged.
doubted = report.labels_
fig, axes = plt.subplots(3, 8, figsize=(8.5, 4.2), layout="constrained")
for ax, row in zip(axes.flat, doubted, strict=False):
    ax.imshow(X_train[row["row"]].reshape(8, 8), cmap="gray_r")
    colour = "tab:red" if row["row"] in flipped else "tab:blue"
    ax.set_title(f"{row['given']} → {row['suggested']}", color=colour)
    ax.set_axis_off()
for ax in axes.flat[len(doubted) :]:
    ax.set_axis_off()
fig.suptitle("given label → suggested label; red: exchanged on purpose")
plt.show()

# %%
# How many were found, and what cleaning brings
# ----------------------------------------------
hits = np.isin(doubted["row"], flipped)
print(f"precision {hits.mean():.2f}, recall {hits.sum() / len(flipped):.2f}")
X_clean, y_clean = report.clean(X_train, y_train, what=["labels", "leaks"])
for name, data in {
    "as given": (X_train, y_train),
    "cleaned": (X_clean, y_clean),
}.items():
    score = network.fit(*data).score(X_test[20:], y_test[20:])
    print(f"{name}: accuracy {score:.3f}")
