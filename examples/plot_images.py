"""
Images in a Pipeline, with a searched augmentation
==================================================

Digits that lie anywhere on their page, and 200 of them with a label: too few to show a
network each digit at each place. Augmentation moves the same digits about, anew in every
epoch. Which kind helps, and how much of it, is a question for ``GridSearchCV``.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_deep import CNNClassifier, Rotation, Translation, augmentation_preview

digits = load_digits()
places = np.random.default_rng(0).integers(0, 3, (len(digits.images), 2))
pages = np.zeros((len(digits.images), 10, 10), dtype=np.float32)
for page, image, (top, left) in zip(pages, digits.images, places, strict=True):
    page[top : top + 8, left : left + 8] = image

X = pages.reshape(len(pages), -1)  # flat rows, as scalers take them
X_train, X_test, y_train, y_test = train_test_split(
    X, digits.target, train_size=200, stratify=digits.target, random_state=0
)

# %%
# ``input_shape`` makes images of what comes out of the scaler. The kind of augmentation is
# a grid-search key, and so is each of its parameters.

network = CNNClassifier(
    (16, 32),
    input_shape=(10, 10),
    dropout=0,
    learning_rate=0.01,
    max_epochs=40,
    random_state=0,
)
pipe = make_pipeline(MinMaxScaler(), network)
key = "cnnclassifier__augmentation"
grid = [
    {key: [None]},
    {key: [Rotation()], f"{key}__degrees": [10, 20]},
    {key: [Translation()], f"{key}__share": [0.1, 0.2, 0.3]},
]
search = GridSearchCV(pipe, grid, cv=2).fit(X_train, y_train)

# %%
# Turning does little, since these digits stand upright. Moving helps, and less where digits
# begin to leave the page.


def name(augmentation=None, *strength):
    """A candidate of the search, for people."""
    kind = "none" if augmentation is None else type(augmentation).__name__
    return " ".join([kind, *map(str, strength)])


results = search.cv_results_
names = [name(*params.values()) for params in results["params"]]
scores = results["mean_test_score"]
for candidate, score in zip(names, scores, strict=True):
    print(f"{score:.2f} {candidate}")

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.barh(names, scores, color=["C0" if "none" in n else "C1" for n in names])
for fold in ("split0_test_score", "split1_test_score"):
    ax.plot(results[fold], names, "k.", markersize=4)
ax.invert_yaxis()
ax.set(xlabel="accuracy; the dots are folds", xlim=(0, 1))

# %%
# On pages that neither of them has seen, the network that the search has trained, and the
# same without augmentation.

pipe.fit(X_train, y_train)
print(f"none:   {pipe.score(X_test, y_test):.2f}")
print(
    f"search: {search.score(X_test, y_test):.2f}, {name(*search.best_params_.values())}"
)

# %%
# What the network saw of six pages: the pages as they are, and three epochs of them.

augmentation_preview(search, X_train, y_train, random_state=0)
plt.show()
