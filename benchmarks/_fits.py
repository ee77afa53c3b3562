"""One measured fit: predictions, CPU seconds, and memory above what was there before.

Every fit has a process of its own, forked from one in which each contestant was fitted
before: neither imports nor memory of another fit are counted.
"""

import multiprocessing
import resource
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from _contestants import CONTESTANTS
from _tables import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import hamming_loss, log_loss, root_mean_squared_error
from threadpoolctl import threadpool_limits


def peak():
    """Largest resident size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fit_here(contestant, table, split):
    """Fit one contestant on one split, in this process.

    Returns
    -------
    dict
        predictions, probabilities (None of a regressor), seconds and megabytes.
    """
    train, test = table.split(split)
    X_train, X_test = table.frame(train), table.frame(test)
    model = CONTESTANTS[contestant](table, split)
    before, start = peak(), time.process_time()
    model.fit(X_train, table.y[train])
    seconds, megabytes = time.process_time() - start, peak() - before
    found = {"predictions": model.predict(X_test), "probabilities": None}
    if table.is_classification:
        found["probabilities"] = in_columns(model.predict_proba(X_test))
    return {**found, "seconds": seconds, "megabytes": megabytes}


def in_columns(probabilities):
    """Probabilities of several labels as one column each."""
    if isinstance(probabilities, list):
        return np.column_stack([each[:, 1] for each in probabilities])
    return probabilities


def fit(contestant, table, split):
    """The same in a process of its own."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, contestant, table, split))
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        raise RuntimeError(f"the fit of {contestant} on {table.name} died") from None
    finally:
        process.join()
    return found


def _send(connection, contestant, table, split):
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        connection.send(fit_here(contestant, table, split))


def warm_up(contestant):
    """Fit small tables of both tasks, for what a first fit imports and compiles."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "b": rng.choice(["c", "d"], 200)})
    classes = Table("", "binary", X, rng.integers(0, 2, 200), ["b"], [])
    numbers = replace(classes, task="regression", y=rng.normal(size=200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for table in (classes, numbers):
            fit_here(contestant, table, 0)


def scores(table, split, found):
    """Error and log loss of classes; of numbers, RMSE and None.

    The error is the share of wrong labels; RMSE of several targets is in standard
    deviations of each.
    """
    train, test = table.split(split)
    y, predictions = table.y[test], found["predictions"]
    p = found["probabilities"]
    if table.task == "multilabel":
        exact = np.clip(np.where(y == 1, p, 1 - p), 1e-15, None)
        return hamming_loss(y, predictions), float(-np.log(exact).mean())
    if table.is_classification:
        loss = log_loss(y, p, labels=np.unique(table.y[train]))
        return float(np.mean(predictions != y)), float(loss)
    spread = table.y[train].std(0) if y.ndim == 2 else 1.0
    return float(root_mean_squared_error(y / spread, predictions / spread)), None
