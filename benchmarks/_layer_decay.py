"""Which ``layer_decay`` and ``head_epochs``: small transfers, with few rows of another task."""

from pathlib import Path

import numpy as np
import pandas as pd
from _common import print_table
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from sklearn_deep import CNNClassifier, FineTuned, MLPClassifier, MLPRegressor


def _by_class(X, y, known, source, n_source):
    """A fitted source, and the rows of the other classes."""
    old = np.isin(y, known)
    return source.fit(X[old][:n_source], y[old][:n_source]), X[~old], y[~old]


def fashion(data, known):
    """Five classes of Fashion-MNIST, and the other five."""
    path = Path(data) / "fashion_mnist" / "fashion_mnist_60k.npz"
    with np.load(path) as file:
        X, y = file["X_train"][:12000], file["y_train"][:12000]
    X = X.reshape(-1, 28, 28, 1).astype(np.float32) / 255
    source = CNNClassifier(max_epochs=6, random_state=0)
    return (*_by_class(X, y, known, source, 3000), {})


def letters(data, seed):
    """Thirteen letters, and the other thirteen."""
    (path,) = (Path(data) / "letter").glob("*.csv*")
    frame = pd.read_csv(path).sample(frac=1, random_state=seed)
    label = next(name for name in frame if frame[name].nunique() == 26)
    X = StandardScaler().fit_transform(frame.drop(columns=label))
    y = frame[label].to_numpy()
    known = np.random.default_rng(seed).choice(np.unique(y), 13, replace=False)
    layers = {"hidden_layer_sizes": (128, 64)}
    source = MLPClassifier(**layers, max_epochs=15, random_state=0)
    return (*_by_class(X, y, known, source, 5000), layers)


def digits(known, network):
    """Five digits, and the other five."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order] / 16, y[order]
    convolves = network is CNNClassifier
    X = X.reshape(-1, 8, 8, 1) if convolves else X
    layers = {} if convolves else {"hidden_layer_sizes": (64, 32)}
    source = network(**layers, max_epochs=30, random_state=0)
    return (*_by_class(X, y, known, source, None), layers)


def columns(data, name):
    """Half of the columns and many rows; all columns and few rows."""
    (path,) = (Path(data) / name).glob("*.csv*")
    frame = pd.read_csv(path).select_dtypes("number").sample(frac=1, random_state=0)
    frame = frame.reset_index(drop=True)
    X, y = frame.iloc[:, :-1], frame.iloc[:, -1].to_numpy(float)
    X = (X - X.mean()) / (X.std() + 1e-9)
    half = X.columns[: X.shape[1] // 2]
    layers = {"hidden_layer_sizes": (64, 64)}
    source = MLPRegressor(**layers, max_epochs=20, random_state=0)
    return source.fit(X[half][:4000], y[:4000]), X[4000:], y[4000:], layers


# The defaults were chosen on the first five, and checked on the others.
CHOSEN_ON = {
    "Fashion-MNIST, 0 2 4 5 9": lambda data: fashion(data, (0, 2, 4, 5, 9)),
    "letter, draw 0": lambda data: letters(data, 0),
    "digits 0-4, MLP": lambda data: digits(range(5), MLPClassifier),
    "digits 0-4, CNN": lambda data: digits(range(5), CNNClassifier),
    "kin8nm, columns": lambda data: columns(data, "kin8nm"),
}
CHECKED_ON = {
    "Fashion-MNIST, 1 3 6 7 8": lambda data: fashion(data, (1, 3, 6, 7, 8)),
    "letter, draw 1": lambda data: letters(data, 1),
    "digits 5-9, MLP": lambda data: digits(range(5, 10), MLPClassifier),
    "digits 5-9, CNN": lambda data: digits(range(5, 10), CNNClassifier),
    "cpu_act, columns": lambda data: columns(data, "cpu_act"),
}

SETTINGS = [
    *({"layer_decay": factor} for factor in (0.1, 0.3, 0.5, 0.7, 0.85, 1.0)),
    {"layer_decay": 0.7, "head_epochs": 5},
    {"layer_decay": 1.0, "head_epochs": 0},
]


def decay(data, sizes=(100, 400), n_draws=2):
    """Scores of networks of which all layers are trained, by setting."""
    names = [", ".join(map(str, setting.values())) for setting in SETTINGS]
    for cases in (CHOSEN_ON, CHECKED_ON):
        table = []
        for name, make in cases.items():
            source, X, y, layers = make(data)
            scores = [
                _scores(source, X, y, layers, n, draw)
                for n in sizes
                for draw in range(n_draws)
            ]
            table.append([name, *map(_thousandths, np.mean(scores, axis=0))])
            print(table[-1], flush=True)
        means = np.mean([list(map(float, row[1:])) for row in table], axis=0)
        table.append(["mean", *map(_thousandths, means)])
        print_table(["transfer", "anew", "head alone", *names], table)


def _thousandths(value):
    return f"{value:.3f}"


def _scores(source, X, y, layers, n, draw):
    """Of a network that begins anew, of the head alone, and of each setting."""
    order = np.random.default_rng(draw).permutation(len(y))
    some, rest = order[:n], order[max(400, n) :][:2500]
    take = (lambda r: X.iloc[r]) if hasattr(X, "iloc") else (lambda r: X[r])
    params = {"max_epochs": 30, "random_state": draw}
    pretrained, kind = FrozenEstimator(source), type(source)
    models = [
        kind(**layers, **params),
        *(
            FineTuned(kind(**params), pretrained, on_worse="ignore", **setting)
            for setting in [
                {"freeze": "auto"},
                *({"freeze": None} | s for s in SETTINGS),
            ]
        ),
    ]
    return [
        model.fit(take(some), y[some]).score(take(rest), y[rest]) for model in models
    ]
