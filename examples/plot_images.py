"""
Images in a Pipeline, with a searched augmentation
==================================================

A hundred pictures with labels are few for a network. Which changes of a picture leave its
class alone, and how large may they be? That is searched like any other parameter, in a
Pipeline whose scaler sees flat rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_deep import CNNClassifier, Crop, Erasing, augmentation_preview

# %%
# Digits of 8 x 8 pixels, each somewhere in a picture of 12 x 12.

digits = load_digits()
pictures = np.zeros((len(digits.images), 12, 12), dtype="float32")
places = np.random.default_rng(0).integers(0, 5, (len(pictures), 2))
for picture, digit, (top, left) in zip(pictures, digits.images, places, strict=True):
    picture[top : top + 8, left : left + 8] = digit
X_train, X_test, y_train, y_test = train_test_split(
    pictures.reshape(-1, 144),
    digits.target,
    train_size=100,
    stratify=digits.target,
    random_state=0,
)

# %%
# ``input_shape`` makes pictures of the scaler's rows again. An augmentation is a parameter,
# and so is what is inside it: ``Crop`` moves a picture by up to ``padding`` pixels,
# ``Erasing`` blots out a rectangle.

network = CNNClassifier(
    (16, 32),
    hidden_layer_sizes=32,
    input_shape=(12, 12),
    learning_rate=0.01,
    max_epochs=60,
    random_state=0,
)
pipe = make_pipeline(MinMaxScaler(), network)
name = "cnnclassifier__augmentation"
grid = [
    {name: [None]},
    {name: [Crop()], f"{name}__padding": [1, 2, 3]},
    {name: [Erasing()], f"{name}__probability": [0.3, 0.6]},
]
search = GridSearchCV(pipe, grid, cv=2).fit(X_train, y_train)

results = search.cv_results_
labels = [
    ", ".join(
        f"{key.removeprefix(name).strip('_')} {value}" for key, value in p.items()
    )
    for p in results["params"]
]
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.barh(labels, results["mean_test_score"])
ax.invert_yaxis()
ax.set_xlabel("accuracy in the cross-validation")
plt.show()

# %%
# The best setting has learnt all hundred rows by now. Beside it stands the same network
# without augmentation, on the digits that neither has seen.

plain = clone(pipe).fit(X_train, y_train)
print(f"without:   {plain.score(X_test, y_test):.3f}")
print(f"augmented: {search.score(X_test, y_test):.3f}")

# %%
# What the network saw: the first row has the pictures as they are, the others as they were
# drawn.

figure = augmentation_preview(search, X_train, random_state=0)
plt.show()
