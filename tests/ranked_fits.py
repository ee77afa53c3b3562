"""Fits that one process and several ranks have to train alike, and what they come to.

Run by ``torchrun ranked_fits.py FOLDER NAME...``: each rank writes ``NAME.RANK.npz``.
"""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    CNNRegressor,
    FineTuned,
    Flip,
    Mixup,
    MLPAutoencoder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    MultiTask,
    Pruned,
    RNNRegressor,
    TabularClassifier,
)
from sklearn_deep.exceptions import FitWarning

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
    predict = model.predict if hasattr(model, "predict") else model.transform
    own["predictions"] = np.asarray(predict(X))
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


@case
def batch_normalisation():
    X, y = classes()
    model = MLPClassifier(
        **short(normalization="batch", batch_size=33, dropout=0.1, optimizer="sgd")
    )
    return outcome(model.fit(X, y), X)


@case
def batch_normalisation_of_few_rows():
    X, y = table(10)
    model = MLPRegressor(**short(normalization="batch", batch_size=3, optimizer="sgd"))
    return outcome(model.fit(X, y), X)


def images(n=61, side=8, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 2, side, side)) + y[:, None, None, None] * 0.5
    return X, y


def network(**changes):
    """Parameters of any family, for few steps in float64."""
    given = short(batch_size=16, **changes)
    return {k: v for k, v in given.items() if k != "hidden_layer_sizes"}


@case
def convolutions():
    X, y = images()
    model = CNNClassifier(
        (4, 6),
        channels="first",
        normalization="batch",
        dropout=0.3,
        **network(optimizer="sgd"),
    )
    return outcome(model.fit(X, y), X)


@case
def augmentation_that_mixes_rows():
    X, y = images()
    model = CNNClassifier(
        (4,),
        channels="first",
        normalization=None,
        augmentation=[Flip(), Mixup(0.4)],
        **network(optimizer="sgd"),
    )
    return outcome(model.fit(X, y), X)


def sequences(n=45, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, n)
    X = [rng.normal(size=(length, 3)) for length in lengths]
    return X, np.array([x[:, 0].mean() + x[-1, 1] for x in X])


@case
def series_of_unequal_length():
    X, y = sequences()
    model = CNNRegressor(
        (4, 5),
        kernel_size=3,
        normalization="batch",
        dropout=0.2,
        **network(optimizer="sgd"),
    )
    return outcome(model.fit(X, y), X)


@case
def recurrent_layers():
    X, y = sequences()
    model = RNNRegressor(hidden_size=5, num_layers=2, dropout=0.3, **network())
    return outcome(model.fit(X, y), X)


@case
def a_target_per_step():
    X, _ = sequences()
    y = [x[:, 0] + x[:, 1] for x in X]
    model = RNNRegressor(
        hidden_size=5, num_layers=2, dropout=0.3, return_sequences=True, **network()
    ).fit(X, y)
    found = outcome(model, X[:1])
    return found | {"predictions": np.asarray(model.predict(X[:1])[0])}


@case
def autoencoder():
    X, _ = table()
    model = MLPAutoencoder(code_size=3, **short(hidden_layer_sizes=(6,))).fit(X)
    return outcome(model, X)


@case
def ensemble_of_a_table():
    X, y = classes(90)
    model = TabularClassifier(
        n_networks=3, random_state=0, max_epochs=3, batch_size=25, dtype="float64"
    )
    return outcome(model.fit(X, y), X)


class Own(nn.Module):
    """A user's module with torch's own batch normalisation and dropout."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(8, n_outputs),
        )

    def forward(self, x):
        return self.layers(x)


@case
def module_of_the_user():
    X, y = classes()
    model = ModuleClassifier(Own, **network(optimizer="sgd"))
    return outcome(model.fit(X, y), X)


@case
def lbfgs():
    X, y = classes()
    model = MLPClassifier(**short(optimizer="lbfgs", max_epochs=8, dropout=0.1))
    return outcome(model.fit(X, y), X)


@case
def learning_rate_of_a_range_test():
    X, y = classes()
    model = MLPClassifier(**short(learning_rate="auto"))
    return outcome(model.fit(X, y), X)


@case
def score_that_is_monitored():
    X, y = classes()
    model = MLPClassifier(
        **short(early_stopping=True, monitor="balanced_accuracy", max_epochs=6)
    )
    return outcome(model.fit(X, y), X)


@case
def partial_fits():
    X, y = classes()
    model = MLPClassifier(**short())
    for rows in (slice(100), slice(100, None)):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    return outcome(model, X)


@case
def pruned_and_fine_tuned():
    """A weight mask."""
    X, y = classes()
    network = MLPClassifier(**short(optimizer="sgd"))
    return outcome(Pruned(network, 0.5, fine_tune_epochs=2).fit(X, y).estimator_, X)


@case
def frozen_layers():
    X, y = classes()
    network = MLPClassifier(**short(optimizer="sgd", normalization="batch"))
    source = clone(network).fit(X, y)
    model = FineTuned(network, source, freeze=1, on_worse="ignore")
    return {"predictions": model.fit(X, (y > 0).astype(int)).predict_proba(X)}


@case
def several_tasks():
    X, y = table()
    half = np.where(np.arange(len(y)) % 3, np.abs(y), np.nan)
    model = MultiTask(MLPRegressor(**short(optimizer="sgd")))
    model.fit(X, {"all": y, "some": half})
    return {name: model.task(name).predict(X) for name in ("all", "some")}


@case
def sparse_rows():
    X, y = classes()
    X = sp.csr_array(np.where(np.abs(X) > 1, X, 0.0))
    return outcome(MLPClassifier(**short()).fit(X, y), X)


class Sees(Callback):
    """Notes what a callback is shown of each batch."""

    def initialize(self):
        self.losses, self.sums = [], []

    def on_batch_end(self, net, loss=None, y_pred=None, training=None, **kwargs):
        if training:
            self.losses.append(float(loss))
            self.sums.append(y_pred.double().sum(0).tolist())


@case
def callbacks_of_skorch():
    X, y = classes()
    sees = Sees()
    given = short(callbacks=[LRScheduler("StepLR", step_size=1, gamma=0.5), sees])
    model = MLPClassifier(**given).fit(X, y)
    more = {"losses": np.array(sees.losses), "sums": np.array(sees.sums)}
    return outcome(model, X, **more)


@case
def class_weights_and_smoothing():
    X, y = classes()
    model = MLPClassifier(**short(class_weight="balanced", label_smoothing=0.1))
    return outcome(model.fit(X, y), X)


def run(name, folder, rank):
    """Run a case and store what it comes to."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FitWarning)  # the fits are short on purpose
        found = CASES[name]()
    np.savez(Path(folder, f"{name}.{rank}.npz"), **found)


if __name__ == "__main__":
    for each in sys.argv[2:]:
        run(each, sys.argv[1], os.environ["RANK"])
