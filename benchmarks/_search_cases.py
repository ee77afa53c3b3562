"""Searches over ordinary data and the default network, and the speed of its products."""

import time

import joblib
import numpy as np
import torch
from _tables import load
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import MLPClassifier, MLPRegressor

# 20 fits of the default network, and the batch size that it has on 8,000 rows and more.
N_FITS, N_ROWS, N_COLUMNS, BATCH, EPOCHS = 20, 8000, 60, 256, 3


def rows(n, d, dtype="float32"):
    """Rows of two classes."""
    X, y = make_classification(
        n, d, n_informative=max(5, d // 3), random_state=0, flip_y=0.1
    )
    return X.astype(dtype), y


class Fits:
    """Fits of networks that differ in learning rate, for any joblib backend."""

    def __init__(self, X, y, n_fits=N_FITS, **settings):
        self.data = X, y
        rates = np.geomspace(1e-3, 1e-2, n_fits).tolist()
        self.nets = [
            MLPClassifier(learning_rate=rate, random_state=k, **settings)
            for k, rate in enumerate(rates)
        ]

    def __call__(self, n_jobs=None):
        """Fit all of them."""
        fit = joblib.delayed(_fit)
        joblib.Parallel(n_jobs)(fit(net, *self.data) for net in self.nets)


def _fit(net, X, y):
    net.fit(X, y)


class Search:
    """A grid search over three folds."""

    def __init__(self, estimator, grid, X, y, cv=3, refit=False):
        self.search = GridSearchCV(estimator, grid, cv=cv, refit=refit)
        self.data = X, y

    def __call__(self, n_jobs=None):
        """Run it."""
        self.search.set_params(n_jobs=n_jobs).fit(*self.data)


def stacked(run):
    """The same, all at once."""
    with joblib.parallel_config(backend="stacked"):
        run()


def product_seconds(dtype, n_steps):
    """CPU time of the matrix products of so many steps, one network at a time.

    Forward, and two per layer backward, less the input's gradient of the first layer; into
    memory that is there.
    """
    dtype = getattr(torch, dtype)
    sizes = [(N_COLUMNS, 256), (256, 128), (128, 1)]
    x = [torch.randn(BATCH, n_in, dtype=dtype) for n_in, _ in sizes]
    weights = [torch.randn(n_out, n_in, dtype=dtype) for n_in, n_out in sizes]
    out = [torch.empty(BATCH, n_out, dtype=dtype) for _, n_out in sizes]
    g = [torch.randn_like(y) for y in out]
    by_weight, by_x = (
        [torch.empty_like(w) for w in weights],
        list(map(torch.empty_like, x)),
    )
    start = time.process_time()
    for _ in range(n_steps):
        for i in range(3):
            torch.mm(x[i], weights[i].t(), out=out[i])
        for i in (2, 1, 0):
            torch.mm(g[i].t(), x[i], out=by_weight[i])
            if i:
                torch.mm(g[i], weights[i], out=by_x[i])
    return time.process_time() - start


def roofline(rounds):
    """CPU seconds on one thread: products, alone and stacked, of each dtype."""
    torch.set_num_threads(1)
    steps = N_FITS * EPOCHS * (N_ROWS // BATCH + 1)
    table = []
    for dtype in ("float32", "float64"):
        fits = Fits(
            *rows(N_ROWS, N_COLUMNS, dtype), batch_size=BATCH, max_epochs=EPOCHS
        )
        best = [np.inf] * 3
        for _ in range(rounds):
            for i, seconds in enumerate(
                (
                    product_seconds(dtype, steps),
                    _cpu_seconds(fits),
                    _cpu_seconds(lambda fits=fits: stacked(fits)),
                )
            ):
                best[i] = min(best[i], seconds)
        products, alone, together = best
        table.append([dtype, *best, products / alone, products / together])
    return table


def _cpu_seconds(run):
    start = time.process_time()
    run()
    return time.process_time() - start


def adult(data):
    """adult, and its columns encoded; sparse, as OneHotEncoder gives them, and dense."""
    table = load(data, "adult")
    numbers = [name for name in table.X if name not in table.categorical]
    encode = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(), table.categorical)
    )
    X = encode.fit_transform(table.X)
    return X.astype("float32"), table.y


def readme():
    """The search of the README."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-90, 90, (6000, 8))
    direction = np.radians(X).cumsum(axis=1)
    y = 10 * np.c_[np.cos(direction).sum(axis=1), np.sin(direction).sum(axis=1)]
    y += rng.normal(0, 0.5, y.shape)
    X, _, y, _ = train_test_split(X, y, train_size=2000, random_state=0)
    network = MLPRegressor(
        (64, 64), dropout=0, batch_size=32, max_epochs=40, random_state=0
    )
    grid = {
        "mlpregressor__activation": ["tanh", "silu"],
        "mlpregressor__learning_rate": [0.02, 0.04],
        "mlpregressor__weight_decay": [0.0, 0.1],
    }
    return Search(make_pipeline(StandardScaler(), network), grid, X, y, refit=True)


def cases(data):
    """Searches by name: callables that take ``n_jobs``."""
    few = {"learning_rate": [1e-3, 3e-3, 5e-3, 1e-2]}
    net = MLPClassifier(max_epochs=3, random_state=0)
    found = {
        "the README's search, 24 fits": readme(),
        "(6000, 90), default network, 12 fits": Search(net, few, *rows(6000, 90)),
        "(6000, 90), one setting, 3 folds": Search(net, {}, *rows(6000, 90)),
        "(8000, 60), (256, 128), batch 256, 20 fits": Fits(
            *rows(N_ROWS, N_COLUMNS), batch_size=BATCH, max_epochs=EPOCHS
        ),
        "mixed shapes, 12 fits": Search(
            net,
            {"hidden_layer_sizes": [(32,), (64, 32), (256, 128), (512,)]},
            *rows(6000, 40),
        ),
    }
    if data is not None:
        X, y = adult(data)
        found["adult, OneHotEncoder, sparse, 12 fits"] = Search(net, few, X, y)
        found["adult, OneHotEncoder, dense, 12 fits"] = Search(
            net, few, np.asarray(X.todense()), y
        )
    return found
