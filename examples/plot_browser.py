"""
A page that predicts in the browser
===================================

A network for handwritten digits becomes a folder that any server of static files serves: a
page on which a visitor draws a digit, and whose prediction is computed in the browser.

.. image:: /_static/page_digits.png
   :alt: The page: a drawing board with a digit, and bars of the probabilities of ten classes.
"""

# sphinx_gallery_thumbnail_path = '_static/page_digits.png'

import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_deep import CNNClassifier, OnnxClassifier, to_web

# %%
# The images are arrays of 8 by 8 numbers. The page learns from them that rows are grey
# images on a dark ground, and which number is white.

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(images, y, random_state=0)
network = CNNClassifier(max_epochs=15, random_state=0).fit(X_train, y_train)
print(f"test accuracy: {network.score(X_test, y_test):.3f}")

# %%
# The folder holds the page, the model, and 20 of the rows with what Python predicts for
# them. The page compares itself with these when it is opened, and says by how much it
# differs. ``runtime=`` copies onnxruntime-web into the folder too; without it the page names
# the command that fetches it.

folder = to_web(
    network, X_train, Path(tempfile.mkdtemp()) / "digits", title="Which digit?"
)
for path in sorted(folder.iterdir()):
    print(f"{path.name:12} {path.stat().st_size / 1000:8.1f} kB")

# %%
# To look at it, serve the folder and open the address: ``python -m http.server -d FOLDER``.
# The same file predicts in Python.

reader = OnnxClassifier(folder / "model.onnx")
description = json.loads((folder / "model.json").read_text())
rows = np.reshape(description["examples"]["rows"], (-1, 8, 8)).astype(np.float32)

fig, axes = plt.subplots(2, 10, figsize=(9, 2.2))
for axis, row, label in zip(axes.flat, rows, reader.predict(rows), strict=True):
    axis.imshow(row, cmap="gray")
    axis.set_title(label, fontsize=9)
    axis.axis("off")
fig.suptitle("The examples of the page, and their predictions", fontsize=10)
plt.show()
