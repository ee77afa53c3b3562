"""
From a data frame to a prediction without torch
===============================================

A pipeline for a frame of numbers, strings and missing values becomes one ONNX file, which
another process reads with onnxruntime alone.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import MLPClassifier, OnnxClassifier, to_onnx

# %%
# Real measurements, as they come from a clinic: a value is missing here and there, one
# column is a word, and the labels are words too.

rng = np.random.default_rng(0)
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :8].mask(rng.random((len(X), 8)) < 0.02)
X["size"] = pd.cut(X["mean radius"], 3, labels=["small", "medium", "large"]).astype(str)
y = np.array(["malignant", "benign"])[y]
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

numbers = [column for column in X if column != "size"]
prepare = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    (OneHotEncoder(handle_unknown="ignore"), ["size"]),
)
pipe = make_pipeline(prepare, MLPClassifier((32,), max_epochs=30, random_state=0))
grid = {"mlpclassifier__dropout": [0.0, 0.3]}
search = GridSearchCV(pipe, grid, cv=3).fit(X_train, y_train)

# %%
# The whole search goes into one file, and is compared with it first.

path = Path(tempfile.mkdtemp()) / "model.onnx"
export = to_onnx(search, X_train, path)
print(export)
print([(i.name, i.type.tensor_type.elem_type) for i in export.model.graph.input])

# %%
# Another process reads it, and loads no torch.

X_test.to_csv(path.with_suffix(".csv"), index=False)
code = f"""
import sys
import pandas as pd
from sklearn_deep import OnnxClassifier
rows = pd.read_csv({str(path.with_suffix(".csv"))!r})
print(OnnxClassifier({str(path)!r}).predict(rows)[:5])
print("torch" in sys.modules)
"""
done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
)
print(done.stdout)
print(search.predict(X_test)[:5])

# %%
# The probabilities of file and estimator, and how little they differ.

reader = OnnxClassifier(path)
ours, theirs = search.predict_proba(X_test)[:, 1], reader.predict_proba(X_test)[:, 1]
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(ours, theirs, "o", alpha=0.5)
axes[0].set(xlabel="GridSearchCV.predict_proba", ylabel="OnnxClassifier.predict_proba")
axes[1].hist(np.abs(ours - theirs), bins=30)
axes[1].set(xlabel="difference on rows it has not seen", ylabel="rows")
plt.show()
