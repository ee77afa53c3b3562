"""Fine-tuning and several tasks: what they cost, and what they give.

    python benchmarks/transfer.py --data DIR [--sections once stack negative multitask ...]

A convolutional network of five classes of Fashion-MNIST begins as the network of the other
five. ``multitask`` compares one network for several targets with a network per target.
``once`` compares a search that computes the frozen part once per row with one that
computes it in every step, and ``stack`` does the same in stacks; ``negative`` compares with
pixels and a linear model. ``decay`` compares settings on ten small transfers; ``images`` and
``sentences`` take networks that packages bring, see ``_pretrained.py``;
``labels`` compares ``SemiSupervised`` with the network of labels only. CPU time of one thread.
"""

import argparse
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from _common import print_table, print_versions
from _few_labels import few_labels
from _layer_decay import decay
from _multi_task import multi_task
from _pretrained import images, sentences
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sklearn_deep import CNNClassifier, FineTuned, NegativeTransferWarning
from sklearn_deep.transfer.fine_tuning import _phases

# T-shirt, pullover, coat, sandal, ankle boot.
KNOWN = (0, 2, 4, 5, 9)


def fashion(folder):
    """Pixels in [0, 1] with one channel, and labels, of both official parts."""
    path = Path(folder) / "fashion_mnist" / "fashion_mnist_60k.npz"
    with np.load(path) as data:
        train, y, test, y_test = (
            data[k] for k in ("X_train", "y_train", "X_test", "y_test")
        )
    images = [x.reshape(-1, 28, 28, 1).astype(np.float32) / 255 for x in (train, test)]
    return images[0], y, images[1], y_test


def network(**params):
    return CNNClassifier(**{"random_state": 0, "max_epochs": 15, **params})


def pretrained(X, y):
    known = np.flatnonzero(np.isin(y, KNOWN))[:3000]
    return FrozenEstimator(network(max_epochs=6).fit(X[known], y[known]))


def once(X, y, source):
    """CPU seconds of a search over heads, with the frozen part once and in every step."""
    rows = np.flatnonzero(~np.isin(y, KNOWN))[:300]
    grid = {"estimator__learning_rate": [0.001, 0.003, 0.01]}
    search = GridSearchCV(FineTuned(network(), source), grid, cv=3)
    times = {}
    for name, cut in (("once", _phases.cut_of), ("in every step", lambda *args: None)):
        with mock.patch.object(_phases, "cut_of", cut):
            start = time.process_time()
            search.fit(X[rows], y[rows])
            times[name] = time.process_time() - start
    ratio = times["in every step"] / times["once"]
    print_table(["frozen part", "CPU seconds"], list(map(list, times.items())))
    print(f"{ratio:.1f} times faster\n")


def negative(X, y, X_test, y_test, source):
    """Accuracy on five other classes, by the number of labels."""
    others = np.flatnonzero(~np.isin(y, KNOWN))
    test = ~np.isin(y_test, KNOWN)
    rows = []
    for n in (25, 100, 500):
        some = others[:n]
        pixels = LogisticRegression(max_iter=2000)
        pixels.fit(X[some].reshape(n, -1), y[some])
        models = {
            "head": FineTuned(network(), source),
            "all": FineTuned(network(), source, freeze=None),
            "from nothing": network(),
        }
        scores = [
            model.fit(X[some], y[some]).score(X_test[test], y_test[test])
            for model in models.values()
        ]
        flat = X_test[test].reshape(test.sum(), -1)
        rows.append([n, *scores, pixels.score(flat, y_test[test])])
    print_table(["labels", *models, "pixels, linear"], rows)
    # A learning rate that suits new weights destroys trained ones, without an error.
    harsh = FineTuned(
        network(learning_rate=0.1), source, freeze=None, layer_decay=1.0, head_epochs=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NegativeTransferWarning)
        harsh.fit(X[some], y[some])
    print(
        *(f"{w.category.__name__}: {w.message}" for w in caught), sep="\n", end="\n\n"
    )


def stack(X, y, source):
    """CPU seconds of a search in stacks and of single fits, with the same results."""
    rows = np.flatnonzero(~np.isin(y, KNOWN))[:300]
    grid = {"estimator__learning_rate": [0.001, 0.003, 0.01]}
    model = FineTuned(network(), source, on_worse="ignore")
    search = GridSearchCV(model, grid, cv=3, n_jobs=-1, refit=False)
    table, scores = [], []
    for backend in ("threading", "stacked"):
        for name, cut in (("once", _phases.cut_of), ("in every step", _no_cut)):
            with mock.patch.object(_phases, "cut_of", cut), parallel_config(backend):
                start = time.process_time()
                search.fit(X[rows], y[rows])
            table.append([backend, name, time.process_time() - start])
            scores.append(search.cv_results_["mean_test_score"])
    print_table(["backend", "frozen part", "CPU seconds"], table)
    assert_array_equal(scores[2], scores[0])
    print("scores of stacks and of single fits: equal\n")


def _no_cut(*args):
    return None


OF_DATA = {
    "labels": few_labels,
    "multitask": multi_task,
    "decay": decay,
    "images": images,
    "sentences": sentences,
}
OF_FASHION = ("once", "stack", "negative")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    sections = [*OF_FASHION, *OF_DATA]
    parser.add_argument("--sections", nargs="+", default=sections, choices=sections)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_versions()
    for name, section in OF_DATA.items():
        if name in arguments.sections:
            section(arguments.data)
    if not set(OF_FASHION) & set(arguments.sections):
        return
    X, y, X_test, y_test = fashion(arguments.data)
    source = pretrained(X, y)
    if "once" in arguments.sections:
        once(X, y, source)
    if "stack" in arguments.sections:
        stack(X, y, source)
    if "negative" in arguments.sections:
        negative(X, y, X_test, y_test, source)


if __name__ == "__main__":
    main()
