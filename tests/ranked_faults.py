"""What ranks do where something is wrong; ``torchrun ranked_faults.py FOLDER``.

Each rank writes ``NAME.RANK.txt`` with the kind and the text of the error, or what it got.
"""

import hashlib
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path
from unittest.mock import patch

import numpy as np
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback

from ranked_fits import classes, short
from sklearn_deep import Checkpoint, MLPClassifier
from sklearn_deep.training.loop import _single_run
from sklearn_deep.training.loop._evaluation import to_numbers

RANK = int(os.environ.get("RANK", 0))
FAULTS = {}


def fault(function):
    FAULTS[function.__name__] = function
    return function


@fault
def missing_values():
    X, y = classes()
    X[3, 2] = np.nan
    MLPClassifier(**short()).fit(X, y)


@fault
def invalid_parameter():
    MLPClassifier(**short(dropout=2)).fit(*classes())


@fault
def ranks_that_start_ranks():
    MLPClassifier(**short(device="cpu*2")).fit(*classes())


@fault
def other_rows():
    X, y = classes()
    MLPClassifier(**short()).fit(X[np.random.default_rng(RANK).permutation(len(X))], y)


@fault
def other_parameters():
    MLPClassifier(**short(learning_rate=0.01 * (1 + RANK))).fit(*classes())


@fault
def other_dropout():
    MLPClassifier(**short(dropout=0.1 * (1 + RANK))).fit(*classes())


@fault
def shuffled_folds_without_a_seed():
    folds = KFold(3, shuffle=True, random_state=np.random.RandomState(RANK))
    grid = {"l2": [0.0, 0.1]}
    search = GridSearchCV(MLPClassifier(**short()), grid, cv=folds, error_score="raise")
    search.fit(*classes())


@fault
def divergence():
    MLPClassifier(**short(optimizer="sgd", learning_rate=1e200)).fit(*classes())


@fault
def scorer_that_fails():
    def scorer(estimator, X, y):
        raise RuntimeError("no score")

    MLPClassifier(**short(early_stopping=True, monitor=scorer)).fit(*classes())


@fault
def killed():
    """Rank 1 is killed in the third epoch, where FOLDER has a file that says so."""
    folder, X, y = Path(sys.argv[1]), *classes()
    counts = Counts()
    callbacks = [counts, Killed()] if (folder / "kill").exists() else [counts]
    model = MLPClassifier(
        **short(
            checkpoint=Checkpoint(folder / "states", every_epochs=1),
            max_epochs=6,
            dropout=0.2,
            callbacks=callbacks,
        )
    )
    start = time.monotonic()
    try:
        return digest(model.fit(X, y))
    finally:
        (folder / f"epochs.{RANK}.txt").write_text(str(counts.n_epochs))
        (folder / f"seconds.{RANK}.txt").write_text(str(time.monotonic() - start))


class Counts(Callback):
    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1


class Killed(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if RANK == 1 and len(net.history) == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def digest(model):
    """All bits of a fitted network, and how it was trained."""
    values = [t.numpy().tobytes() for t in model.module_.state_dict().values()]
    return hashlib.sha256(b"".join(values)).hexdigest(), model.n_iter_


# What is not an error.


@fault
def no_random_state():
    X, y = classes()
    model = MLPClassifier(**short(random_state=None)).fit(X, y)
    return model.predict_proba(X[:3]).tolist()


@fault
def grid_search():
    X, y = classes()
    search = GridSearchCV(MLPClassifier(**short()), {"l2": [0.0, 1.0]}, cv=3)
    search.fit(X, y)
    return search.cv_results_["mean_test_score"].tolist(), search.best_params_


@fault
def stacked_search():
    X, y = classes()
    search = GridSearchCV(MLPClassifier(**short()), {"l2": [0.0, 1.0]}, cv=3, n_jobs=2)
    with parallel_config(backend="stacked"):
        search.fit(X, y)
    return search.cv_results_["mean_test_score"].tolist(), search.best_params_


@fault
def search_in_other_processes():
    X, y = classes()
    search = GridSearchCV(MLPClassifier(**short()), {"l2": [0.0, 1.0]}, cv=3, n_jobs=2)
    with parallel_config(backend="loky"):
        search.fit(X, y)
    return search.cv_results_["mean_test_score"].tolist(), search.best_params_


@fault
def time_limit():
    model = MLPClassifier(**short(time_limit=0.5, max_epochs=100_000))
    model.fit(*classes())
    return digest(model), model.stop_reason_


@fault
def losses_that_differ():
    """As where processors add up in other orders; on rank 1 they only grow."""
    losses = count(1.0)

    def growing(tensors):
        (numbers,) = to_numbers(tensors)
        return [numbers._replace(valid_loss=next(losses))]

    model = MLPClassifier(
        **short(early_stopping=True, n_iter_no_change=2, max_epochs=12)
    )
    with patch.object(_single_run, "to_numbers", growing if RANK else to_numbers):
        model.fit(*classes())
    return digest(model), model.history_["valid_loss"].tolist()


@fault
def one_rank_alone():
    """The last one: afterwards the ranks are apart."""
    start = time.monotonic()
    try:
        MLPClassifier(**short(callbacks=[Fails()])).fit(*classes())
    finally:
        Path(sys.argv[1], f"seconds.{RANK}.txt").write_text(
            str(time.monotonic() - start)
        )


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        if RANK == 1 and len(net.history) == 2:
            raise ValueError("only here")


def told(function):
    """What a fit gave, or its error."""
    try:
        return repr(function())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    for name in sys.argv[2:]:
        text = told(FAULTS[name])
        Path(sys.argv[1], f"{name}.{RANK}.txt").write_text(text)
