"""Fit one estimator of pytabkit; run by the Python of its environment, see _peers.py.

python _peer_worker.py TASK given.npz answer.npz
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import pytabkit
import torch


def peak():
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def frame(given, part):
    """Columns of numbers and of categories."""
    columns = {}
    for kind, dtype in (("numbers", float), ("categories", "category")):
        if f"{kind}_{part}" in given:
            values = given[f"{kind}_{part}"]
            for i in range(values.shape[1]):
                columns[f"{kind}_{i}"] = pd.Series(values[:, i], dtype=dtype)
    return pd.DataFrame(columns)


def plain(labels):
    """Labels as an array of numbers or of text."""
    return labels.astype(str) if labels.dtype == object else labels


def fitted(task, X, y):
    """One estimator per target."""
    kind = "Classifier" if task["classes"] else "Regressor"
    cls = getattr(pytabkit, f"{task['estimator']}_{kind}")
    params = {"random_state": task["seed"], "device": "cpu", "n_threads": 1}
    columns = [y] if y.ndim == 1 else list(y.T)
    return [cls(**params).fit(X, column) for column in columns]


def main():
    """Read, fit, predict, write."""
    task, given_path, answer_path = json.loads(sys.argv[1]), *sys.argv[2:]
    torch.set_num_threads(1)
    given = np.load(given_path)
    X, X_test, y = frame(given, "train"), frame(given, "test"), given["y"]
    small = X.iloc[: min(100, len(X))]
    fitted(task, small, np.arange(len(small)) % 2)  # what a first fit imports
    before, start = peak(), time.process_time()
    models = fitted(task, X, y)
    answer = {"seconds": time.process_time() - start, "megabytes": peak() - before}
    # Labels of text come as objects, which no file without pickles holds.
    predictions = [plain(model.predict(X_test)) for model in models]
    one = y.ndim == 1
    answer["predictions"] = predictions[0] if one else np.column_stack(predictions)
    if task["classes"]:
        found = [model.predict_proba(X_test) for model in models]
        of_label = [probabilities[:, 1] for probabilities in found]
        answer["probabilities"] = found[0] if one else np.column_stack(of_label)
    np.savez(answer_path, **answer)


if __name__ == "__main__":
    main()
