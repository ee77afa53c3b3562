"""Searches that tests kill and run again: ``python killed_searches.py NAME FOLDER``."""

import os
import sys
import time
from functools import partial

import numpy as np
import torch
from joblib import parallel_config
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import Checkpoint, CNNClassifier, MLPClassifier, TabularClassifier
from sklearn_deep.training.loop._run import Run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
Y = (X[:, 0] + 0.5 * RNG.normal(size=120) > 0).astype(int)
EPOCHS = 5
IMAGES = RNG.normal(size=(60, 1, 5, 5))
GRID = {"learning_rate": [0.003, 0.01], "dropout": [0.0, 0.3]}


STORED = {"every_seconds": None, "every_epochs": 1}


def checkpoint(folder):
    return None if folder is None else Checkpoint(folder, **STORED)


def net(folder, **params):
    settings = {"max_epochs": EPOCHS, "batch_size": 32, "random_state": 0, **params}
    return MLPClassifier((8,), checkpoint=checkpoint(folder), **settings)


def ensemble(folder):
    return TabularClassifier(
        hidden_layer_sizes=(8,),
        n_networks=2,
        max_epochs=EPOCHS,
        random_state=0,
        checkpoint=checkpoint(folder),
    )


def searched(search):
    search.fit(X, Y)
    scores = {
        name: np.asarray(values, float)
        for name, values in search.cv_results_.items()
        if "test_score" in name
    }
    return {**scores, "best": outputs(search.best_estimator_)}


def outputs(model):
    return model.predict_proba(X)


def grid(folder):
    return searched(GridSearchCV(net(folder), GRID, cv=2))


def randomized(folder):
    drawn = {"learning_rate": [0.001, 0.003, 0.01], "l2": [0.0, 0.1]}
    search = RandomizedSearchCV(net(folder), drawn, n_iter=4, cv=2, random_state=0)
    return searched(search)


def halving(folder):
    search = HalvingGridSearchCV(net(folder), GRID, cv=2, random_state=0, factor=2)
    return searched(search)


def pipeline(folder):
    pipe = make_pipeline(StandardScaler(), net(folder, early_stopping=True))
    names = {f"mlpclassifier__{name}": values for name, values in GRID.items()}
    return searched(GridSearchCV(pipe, names, cv=2))


def tabular(folder):
    return searched(GridSearchCV(ensemble(folder), {"dropout": [0.0, 0.2]}, cv=2))


def images(folder):
    cnn = CNNClassifier(
        (4,),
        max_epochs=EPOCHS,
        batch_size=8,
        random_state=0,
        checkpoint=checkpoint(folder),
    )
    search = GridSearchCV(cnn, {"learning_rate": [0.001, 0.003, 0.01]}, cv=3)
    search.fit(IMAGES, Y[:60])
    return {
        "scores": search.cv_results_["mean_test_score"],
        "best": search.predict_proba(IMAGES),
    }


def nested(folder):
    inner = GridSearchCV(net(folder), {"dropout": [0.0, 0.3]}, cv=2)
    found = cross_validate(inner, X, Y, cv=2, return_estimator=True)
    return {
        "scores": found["test_score"],
        **{f"best {k}": outputs(each) for k, each in enumerate(found["estimator"])},
    }


def validated(folder):
    found = cross_validate(net(folder), X, Y, cv=4, return_estimator=True)
    return {
        "scores": found["test_score"],
        **{f"net {k}": outputs(each) for k, each in enumerate(found["estimator"])},
    }


def bagged(folder):
    bags = BaggingClassifier(net(folder), n_estimators=4, random_state=0)
    return {"bags": outputs(bags.fit(X, Y))}


def voting(folder):
    each = [(str(seed), net(folder, random_state=seed)) for seed in range(3)]
    return {"votes": outputs(VotingClassifier(each, voting="soft").fit(X, Y))}


SEARCHES = {
    each.__name__: each
    for each in (
        grid,
        randomized,
        halving,
        pipeline,
        tabular,
        images,
        nested,
        validated,
        bagged,
        voting,
    )
}
BACKENDS = {
    "default": None,
    "stacked": {"backend": "stacked", "n_jobs": -1},
    "loky": {"backend": "loky", "n_jobs": 2},
}


def run(name, folder=None):
    """Results of a search; its name is that of a function and of a backend."""
    kind, backend = name.split()
    function = partial(SEARCHES[kind], folder)
    if BACKENDS[backend] is None:
        return function()
    import sklearn_deep  # noqa: F401  registers the backend

    with parallel_config(**BACKENDS[backend]):
        return function()


def announce(seconds):
    """Let every epoch take a while at least, and write a letter at its end."""
    end_epoch = Run.end_epoch

    def announced(run, *args):
        ends = end_epoch(run, *args)
        os.write(1, b"e")
        time.sleep(seconds)
        return ends

    Run.end_epoch = announced


if __name__ == "__main__":
    torch.set_num_threads(1)
    announce(float(sys.argv[3]))
    STORED["every_epochs"] = int(sys.argv[4])
    run(sys.argv[1], sys.argv[2])
