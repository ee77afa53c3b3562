"""
A model for every client
========================

One fitted pipeline becomes files of many sizes: the network as it is, with fewer units, with
integers of 8 and 4 bits, and both. Here on handwritten digits, with scores on rows that the
pipeline has not seen. For a client that cannot carry even the smallest file, the pipeline is cut
into two halves.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CompressionDisplay,
    MLPClassifier,
    split,
    split_report,
    variants,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.astype("float32"), y, test_size=0.5, stratify=y, random_state=0
)
network = MLPClassifier((256, 128), max_epochs=30, random_state=0)
pipe = make_pipeline(StandardScaler(), network).fit(X_train, y_train)

# %%
# Budgets are of bytes, of microseconds per row, of the score, or of several of them. Each gets
# the best file within it. Nothing is as small as a stamp, so the nearest file is named.

found = variants(
    pipe,
    X_test,
    y_test,
    X_train=X_train,
    y_train=y_train,
    bits=(8, 4),
    budgets={
        "watch": {"bytes": 15_000},
        "phone": {"bytes": 60_000},
        "good": {"score": 0.95},
        "stamp": {"bytes": 100},
    },
)
print(found)

# %%
# The dashed line connects the files that no other one beats: the Pareto front.

display = CompressionDisplay(found.report).plot()
display.figure_.suptitle("Files of one pipeline for handwritten digits")

# %%
# Every place at which the pipeline can be cut into a client's and a server's half, with the
# bytes that cross for a row as 8-bit integers, and the accuracy that rounding them costs.

report = split_report(pipe, X_test, y_test, bits=8)
print(report)

# %%
# The later the cut, the larger is the client's file; what crosses is as wide as the layer.

places = report.layers_
bytes_of = {name: report.columns[name][1:-1] for name in ("client_bytes", "row_bytes")}
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.plot(places, bytes_of["client_bytes"], "o-", label="file of the client")
axes.plot(places, bytes_of["row_bytes"], "s-", label="what crosses for a row")
axes.set(yscale="log", ylabel="bytes", xlabel="place of the cut")
axes.tick_params(axis="x", rotation=40)
axes.legend()
axes.set_title("Where to cut")

# %%
# Two files, equal together to the whole: the receipt has the score of both.

halves = split(pipe, X_test, y_test, at="relu_1", bits=8)
print(halves)
print({name: halves.receipt[name] for name in ("score", "whole_score", "row_bytes")})
