"""Fits that one process and several ranks have to train alike, and what they come to.

Run by ``torchrun ranked_fits.py FOLDER NAME...``: each rank writes ``NAME.RANK.npz``.
"""

import os
import sys
import warnings
from pathlib import Path

import numpy as np

from sklearn_deep import (
    MLPClassifier,
    MLPRegressor,
)

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def table(n=211, d=7, seed=0):
    """Rows of which neither 2 nor 4 ranks get equal numbers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=(d,)) + 0.1 * rng.normal(size=n)


def classes(n=211, d=7, seed=0):
    X, y = table(n, d, seed)
    return X, np.digitize(y, np.quantile(y, [0.3, 0.7]))


def short(**changes):
    """Parameters of a fit of few steps in float64, whose last batch is uneven."""
    return {
        "hidden_layer_sizes": (9, 6),
        "max_epochs": 3,
        "batch_size": 50,
        "learning_rate": 0.01,
        "random_state": 0,
        "dtype": "float64",
    } | changes


def outcome(model, X, **more):
    """What two fits are compared by."""
    tensors = model.module_.state_dict()
    own = {f"weights.{k}": v.cpu().double().numpy() for k, v in tensors.items()}
    history = model.history_
    for name in ("train_loss", "valid_loss", "valid_score", "learning_rate"):
        own[name] = history[name].to_numpy()
    own["stop_reason"] = np.array(model.stop_reason_)
    own["best_epoch"] = np.array(model.best_epoch_)
    own["predictions"] = np.asarray(model.predict(X))
    return own | more


@case
def classifier():
    X, y = classes()
    return outcome(MLPClassifier(**short()).fit(X, y), X)


@case
def float32():
    X, y = table()
    model = MLPRegressor(**short(dtype="float32", optimizer="sgd"))
    return outcome(model.fit(X, y), X)


@case
def dropout_and_penalties():
    X, y = classes()
    model = MLPClassifier(
        **short(dropout=[0.2, 0.5], l1=1e-3, l2=1e-2, weight_decay=0.1)
    )
    return outcome(model.fit(X, y), X)


@case
def weights_clipping_and_schedule():
    X, y = table()
    model = MLPRegressor(
        **short(gradient_clip=0.1, learning_rate_schedule="cosine", warmup=1)
    )
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X))
    return outcome(model.fit(X, y, sample_weight=weight), X)


@case
def batches_smaller_than_the_ranks():
    X, y = table(10)
    return outcome(MLPRegressor(**short(batch_size=3)).fit(X, y), X)


@case
def early_stopping():
    X, y = classes()
    model = MLPClassifier(
        **short(
            early_stopping=True, n_iter_no_change=3, max_epochs=40, learning_rate=0.1
        )
    )
    return outcome(model.fit(X, y), X)


def run(name, folder, rank):
    """Run a case and store what it comes to."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = CASES[name]()
    np.savez(Path(folder, f"{name}.{rank}.npz"), **found)


if __name__ == "__main__":
    for each in sys.argv[2:]:
        run(each, sys.argv[1], os.environ["RANK"])
