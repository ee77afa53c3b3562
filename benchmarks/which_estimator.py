"""Which estimator for which data: ours at defaults beside scikit-learn's.

    python benchmarks/which_estimator.py --data DIR [--kinds tables images ...]

Scores are ``score`` on the test rows: accuracy, or R2 where numbers are predicted. Seconds
are CPU seconds of ``fit`` on one thread, preprocessing included. Bold scores are within
half a point of the best of their row. The last column is the time of the first contestant
divided by that of one of scikit-learn's. Tables of less than 2,000 rows are means of
three splits. Ten minutes of CPU in all.
"""

import argparse
import sys
import time
import warnings

import numpy as np
import torch
from _common import print_table, print_versions, verdict
from _tables import load
from images import read
from series import equal, halves, messages, names, unequal
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    RNNClassifier,
)

SMALL = 2000  # rows
CLOSE = 0.005


class Gated(nn.Module):
    """A module of one's own: hidden units that other units open and close."""

    def __init__(self, n_features, n_outputs, width=128):
        super().__init__()
        self.values = nn.Linear(n_features, width)
        self.gates = nn.Linear(n_features, width)
        self.output = nn.Linear(width, n_outputs)

    def forward(self, X):
        """Rows of shape (n, n_features) to raw outputs of shape (n, n_outputs)."""
        return self.output(torch.relu(self.values(X)) * torch.sigmoid(self.gates(X)))


# -- contestants: names to unfitted models ----------------------------------------------


def linear():
    """Logistic regression that is given time to converge."""
    return LogisticRegression(max_iter=1000)


def table_models(table):
    """Networks, boosting and a linear model; boosting reads categories as they are."""
    classes = table.is_classification
    boosting = (
        HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    )
    models = {
        "MLP": MLPClassifier() if classes else MLPRegressor(),
        "boosting": None,
        "scikit-learn's MLP": SklearnClassifier() if classes else SklearnRegressor(),
        "linear": linear() if classes else RidgeCV(),
    }
    prepared = {k: make_pipeline(table.preprocessing(), m) for k, m in models.items()}
    as_categories = FunctionTransformer(
        lambda X: X.astype(dict.fromkeys(table.categorical, "category"))
    )
    return {**prepared, "boosting": make_pipeline(as_categories, boosting())}


def flat_models():
    """Models of tables over rows that are flattened; boosting of 50 rounds, for time."""
    flatten = FunctionTransformer(lambda X: np.reshape(X, (len(X), -1)))
    models = {
        "MLP": MLPClassifier(),
        "SVC": SVC(),
        "boosting": HistGradientBoostingClassifier(max_iter=50),
        "linear": linear(),
    }
    return {k: make_pipeline(flatten, StandardScaler(), m) for k, m in models.items()}


def image_models():
    """Convolutions, and what sees columns of pixels."""
    models = {"CNN": CNNClassifier(), **flat_models()}
    del models["boosting"]  # minutes on hundreds of columns
    return models


def series_models():
    """Convolutions over time, and what sees columns."""
    fcn = CNNClassifier(architecture="fcn", spatial_dims=1, channels="first")
    return {"CNN, fcn": fcn, **flat_models()}


def unequal_models():
    """A recurrent network, and what sees columns padded with zeros."""
    padded = FunctionTransformer(pad)
    rest = {k: make_pipeline(padded, model) for k, model in flat_models().items()}
    return {"RNN": RNNClassifier(), **rest}


def pad(sequences):
    """Sequences as one array, zeros behind them; 400 steps at most are looked at."""
    rows = np.zeros((len(sequences), 400, sequences[0].shape[1]), np.float32)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = sequence
    return rows


def text_models(analyzer):
    """Reading characters or words, and counting runs of characters."""
    return {
        "RNN": RNNClassifier(analyzer=analyzer),
        "TF-IDF, logistic": make_pipeline(runs_of_characters(), linear()),
        "TF-IDF, LinearSVC": make_pipeline(runs_of_characters(), LinearSVC()),
    }


def runs_of_characters():
    """Counts of one to four characters in a row."""
    return TfidfVectorizer(analyzer="char", ngram_range=(1, 4))


def own_models():
    """The same data through a module of one's own and through ready networks."""
    models = {
        "own module": ModuleClassifier(Gated),
        "MLP": MLPClassifier(),
        "scikit-learn's MLP": SklearnClassifier(),
    }
    return {k: make_pipeline(StandardScaler(), m) for k, m in models.items()}


OURS = {"MLP", "CNN", "CNN, fcn", "RNN", "own module"}

# -- data: functions of a folder and a split, to (X, y, X_test, y_test) -----------------


def rows_of(folder, name, split):
    """A split of a table."""
    table = load(folder, name)
    train, test = table.split(split)
    return table.X.iloc[train], table.y[train], table.X.iloc[test], table.y[test]


def fashion(folder):
    """The first images of clothes."""
    X, y, X_test, y_test = read(folder, "fashion_mnist", "fashion_mnist_60k.npz")
    return X[:3000], y[:3000], X_test[:2000], y_test[:2000]


def texts(folder, reader, name):
    """Texts, and what kind each is."""
    X, X_test, y, y_test = halves(*reader(folder), 0, name)
    return X, y, X_test, y_test


IMAGES = {
    "optdigits": lambda d: read(d, "optdigits", "optdigits.npz"),
    "fashion_mnist": fashion,
}
TEXTS = {
    "names_by_language": ("char", lambda d: texts(d, names, "names")),
    "sms_spam": ("word", lambda d: texts(d, messages, "messages")),
}
TABLES = [
    "titanic",
    "credit_g",
    "concrete",
    "phoneme",
    "kin8nm",
    "churn_modelling",
    "letter",
    "california_housing",
    "adult",
]
SERIES = ["GunPoint", "ECG200", "SyntheticControl", "BasicMotions"]
UNEQUAL = ["JapaneseVowels", "PickupGestureWiimoteZ"]

# -- runs -------------------------------------------------------------------------------


def measure(models, data, seed):
    """Score and CPU seconds of each model."""
    X, y, X_test, y_test = data
    found = {}
    for name, model in models.items():
        for key in model.get_params():
            if key.endswith("random_state"):
                model.set_params(**{key: seed})
        start = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - start
        found[name] = (model.score(X_test, y_test), seconds)
    return found


def averaged(runs):
    """Means over splits."""
    return {name: np.mean([run[name] for run in runs], 0) for name in runs[0]}


def tables(args):
    """Numbers and categories."""
    for name in TABLES:
        table = load(args.data, name)
        splits = range(3 if len(table.y) < SMALL else 1)
        runs = [
            measure(table_models(table), rows_of(args.data, name, i), i) for i in splits
        ]
        yield name, len(table.y), averaged(runs)


def images(args):
    """Pixels."""
    for name, read_set in IMAGES.items():
        data = read_set(args.data)
        yield name, len(data[0]), measure(image_models(), data, 0)


def series(args):
    """Series of one length."""
    for name in SERIES:
        data = equal(args.data, name)
        yield name, len(data[0]), measure(series_models(), data, 0)


def unequals(args):
    """Series of several lengths."""
    for name in UNEQUAL:
        data = unequal(args.data, name)
        yield name, len(data[0]), measure(unequal_models(), data, 0)


def all_texts(args):
    """Names and messages."""
    for name, (analyzer, read_set) in TEXTS.items():
        data = read_set(args.data)
        yield name, len(data[0]), measure(text_models(analyzer), data, 0)


def own(args):
    """A table, and a module that scikit-learn does not have."""
    table = load(args.data, "letter")
    data = rows_of(args.data, "letter", 0)
    yield "letter", len(table.y), measure(own_models(), data, 0)


KINDS = {
    "tables": tables,
    "images": images,
    "series": series,
    "unequal": unequals,
    "texts": all_texts,
    "own": own,
}

# What the time of the first contestant is divided by.
PEERS = {
    "tables": "boosting",
    "images": "SVC",
    "series": "boosting",
    "unequal": "boosting",
    "texts": "TF-IDF, LinearSVC",
    "own": "scikit-learn's MLP",
}


def line(kind, name, n_rows, found):
    """One line of a table: scores and seconds, and a ratio of times."""
    best = max(score for score, _ in found.values())
    cells = []
    for score, seconds in found.values():
        shown = f"**{score:.3f}**" if score > best - CLOSE else f"{score:.3f}"
        cells.append(f"{shown} ({seconds:.1f} s)")
    first, peer = next(iter(found)), PEERS[kind]
    return [name, n_rows, *cells, found[first][1] / found[peer][1]]


def lead(found):
    """How far the best of ours is in front of the best of scikit-learn's."""
    ours = max(score for name, (score, _) in found.items() if name in OURS)
    return ours - max(score for name, (score, _) in found.items() if name not in OURS)


def floors(leads):
    """Verdicts on what the guide advises."""
    if "images" in leads:
        reached = min(leads["images"].values()) > 0
        print(verdict(reached, "images: a CNN has the best score on every set"))
    if "series" in leads:
        mean = np.mean([*leads["series"].values()])
        print(verdict(mean > 0, "series: FCN above the best of columns in the mean"))
    if "tables" in leads:
        won = sum(value > -CLOSE for value in leads["tables"].values())
        n = len(leads["tables"])
        print(
            f"- tables: the MLP within half a point of the best or above: {won} of {n}"
        )


def main():
    """Print a table per kind, and the floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    args = parser.parse_args()
    print_versions()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    leads = {}
    with threadpool_limits(1):
        for kind in args.kinds:
            results = []
            for result in KINDS[kind](args):
                results.append(result)
                print("...", *line(kind, *result), flush=True, file=sys.stderr)
            names = [*results[0][2]]
            ratio = f"time, {names[0]} / {PEERS[kind]}"
            head = [kind, "rows", *names, ratio]
            print_table(head, [line(kind, *result) for result in results])
            leads[kind] = {name: lead(found) for name, _, found in results}
    floors(leads)


if __name__ == "__main__":
    main()
