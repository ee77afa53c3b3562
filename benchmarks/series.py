"""Networks on series and sequences, beside published figures.

    python benchmarks/series.py --data DIR [--sections archive ...] [--networks FCN ...]

``archive``: sets of the UCR archive with their official splits, as they come, beside the
means of five runs that Ismail Fawaz et al. published (2,000 epochs each).
``unequal``: series of unequal length, channels standardised by the training rows.
``texts``: names and messages as sequences of characters, beside scikit-learn's TF-IDF of
characters with a logistic regression.
"""

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from _common import print_table, print_versions, verdict
from _float64 import table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from sklearn_deep import CNNClassifier, CNNRegressor, RNNClassifier

SERIES = {"spatial_dims": 1, "channels": "first"}

NETWORKS = {
    "FCN": lambda seed: CNNClassifier(architecture="fcn", random_state=seed, **SERIES),
    "ResNet": lambda seed: CNNClassifier(
        architecture="resnet", random_state=seed, **SERIES
    ),
    "InceptionTime": lambda seed: CNNClassifier(
        architecture="inception_time", random_state=seed, **SERIES
    ),
    "LSTM": lambda seed: RNNClassifier(
        cell="lstm", channels="first", random_state=seed
    ),
}

# Accuracy in per cent: FCN and ResNet (Ismail Fawaz et al., arXiv:1809.04356, means of
# five runs), the ensemble of five InceptionTime (arXiv:1909.04939) and LSTM-FCN (Karim et
# al., arXiv:1709.05206).
PUBLISHED = {
    "ArrowHead": {"FCN": 84.3, "ResNet": 83.8, "InceptionTime": 84.6, "LSTM": 89.7},
    "Coffee": {"FCN": 100.0, "ResNet": 100.0, "InceptionTime": 100.0, "LSTM": 100.0},
    "ECG200": {"FCN": 88.8, "ResNet": 87.4, "InceptionTime": 93.0, "LSTM": 87.0},
    "FaceFour": {"FCN": 93.0, "ResNet": 95.5, "InceptionTime": 95.5, "LSTM": 94.3},
    "GunPoint": {"FCN": 100.0, "ResNet": 99.1, "InceptionTime": 100.0, "LSTM": 100.0},
    "ItalyPowerDemand": {
        "FCN": 96.3,
        "ResNet": 96.2,
        "InceptionTime": 96.5,
        "LSTM": 96.2,
    },
    "OSULeaf": {"FCN": 97.9, "ResNet": 98.0, "InceptionTime": 94.2, "LSTM": 98.3},
    "Plane": {"FCN": 100.0, "ResNet": 100.0, "InceptionTime": 100.0},
    "SyntheticControl": {
        "FCN": 98.9,
        "ResNet": 99.7,
        "InceptionTime": 99.7,
        "LSTM": 98.7,
    },
    "BasicMotions": {"ResNet": 100.0, "InceptionTime": 100.0},
}

VOWELS_FLOOR = 0.97


def arrays(folder, name):
    """Arrays of a set of series: X_train, y_train, X_test, y_test, or their parts."""
    with np.load(Path(folder) / f"ts_{name}" / f"{name}.npz") as data:
        return {key: data[key] for key in data if key != "classes"}


def equal(folder, name):
    """Series of one length, of shape (n, channels, time), as float32."""
    data = arrays(folder, name)
    return [data[key] for key in ("X_train", "y_train", "X_test", "y_test")]


def unequal(folder, name):
    """Lists of series of shape (time, channels), standardised by the training rows."""
    data = arrays(folder, name)
    mean = data["values_train"].mean(0)
    std = data["values_train"].std(0)
    parts = []
    for part in ("train", "test"):
        values = (data[f"values_{part}"] - mean) / std
        offsets = data[f"offsets_{part}"][1:-1]
        parts += [np.split(values, offsets), data[f"y_{part}"]]
    return parts


def fitted_score(net, X, y, X_test, y_test):
    """Score on the test rows, and seconds of CPU of the fit."""
    start = time.process_time()
    net.fit(X, y)
    seconds = time.process_time() - start
    return net.score(X_test, y_test), seconds


def archive(args):
    """Sets with published figures, network by network."""
    scores = {}
    for network in args.networks:
        for name in args.sets:
            data = equal(args.data, name)
            results = []
            for seed in range(args.seeds):
                results.append(fitted_score(NETWORKS[network](seed), *data))
                print(f"{network} {name} {seed}", *results[-1], flush=True)
            scores[network, name] = np.mean(results, 0)
    lines = []
    for name in args.sets:
        cells = []
        for network in args.networks:
            accuracy, seconds = scores[network, name]
            published = PUBLISHED[name].get(network, "")
            cells += [f"{100 * accuracy:.1f} ({seconds:.0f} s)", published]
        lines.append([name, *cells])
    lines.append(["mean", *means(args, scores)])
    head = ["set"]
    for network in args.networks:
        head += [network, "published LSTM-FCN" if network == "LSTM" else "published"]
    print_table(head, lines)
    if "FCN" in args.networks and set(args.sets) == set(PUBLISHED):
        ours, published = means(args, scores)[:2]
        reached = float(ours) >= float(published) - 1
        print(verdict(reached, "FCN: mean accuracy within a point of the published"))


def means(args, scores):
    """Mean accuracies, ours and published, of the sets where there is a figure."""
    cells = []
    for network in args.networks:
        known = [name for name in args.sets if network in PUBLISHED[name]]
        ours = np.mean([100 * scores[network, name][0] for name in known])
        published = np.mean([PUBLISHED[name][network] for name in known])
        cells += [f"{ours:.2f}", f"{published:.2f}"]
    return cells


def regression(args):
    """A number that a series tells."""
    X, y, X_test, y_test = equal(args.data, "Covid3Month")
    lines = []
    for architecture, published in (("fcn", 0.0436), ("resnet", 0.1395)):
        errors = []
        for seed in range(args.seeds):
            net = CNNRegressor(architecture=architecture, random_state=seed, **SERIES)
            difference = net.fit(X, y).predict(X_test) - y_test
            errors.append(np.sqrt(np.mean(difference**2)))
        lines.append([architecture, f"{np.mean(errors):.4f}", published])
    print_table(["Covid3Month", "RMSE", "published"], lines)


UNEQUAL = {
    "fcn": lambda seed: CNNClassifier(architecture="fcn", random_state=seed),
    "gru": lambda seed: RNNClassifier(cell="gru", random_state=seed),
    "lstm": lambda seed: RNNClassifier(cell="lstm", random_state=seed),
}

# Figures of networks on padded series, and our floors for fcn.
UNEQUAL_SETS = {"JapaneseVowels": (99.0, 0.98), "PickupGestureWiimoteZ": (74.4, 0.70)}


def lengths(args):
    """Series of unequal length with convolutional and recurrent networks."""
    lines, means = [], {}
    for name, (published, _) in UNEQUAL_SETS.items():
        data = unequal(args.data, name)
        for network, make in UNEQUAL.items():
            results = []
            for seed in range(args.seeds):
                results.append(fitted_score(make(seed), *data))
                print(f"{name} {network} {seed}", *results[-1], flush=True)
            scores, seconds = np.transpose(results)
            means[name, network] = scores.mean()
            spread = f"{100 * scores.min():.1f} to {100 * scores.max():.1f}"
            accuracy = f"{100 * scores.mean():.1f} ({spread})"
            lines.append([name, network, accuracy, seconds.mean(), published])
    head = ["set", "network", "accuracy", "seconds of CPU", "published, padded"]
    print_table(head, lines)
    vowels = max(means["JapaneseVowels", cell] for cell in ("gru", "lstm"))
    print(
        verdict(vowels >= VOWELS_FLOOR, "JapaneseVowels: .97 with a recurrent network")
    )
    for name, (_, floor) in UNEQUAL_SETS.items():
        reached = means[name, "fcn"] >= floor
        print(verdict(reached, f"{name}: {floor} with fcn at its defaults"))


def names(folder):
    """Family names and the languages they come from."""
    with gzip.open(Path(folder) / "names_by_language" / "names.csv.gz", "rt") as file:
        rows = [*csv.DictReader(file)]
    return [r["name"] for r in rows], np.array([r["language"] for r in rows])


def messages(folder):
    """Short messages, wanted or not."""
    with gzip.open(Path(folder) / "sms_spam" / "sms.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    return [text for _, text in rows], np.array([kind for kind, _ in rows])


def halves(X, y, seed, name):
    """A random 80/20 split of the names, the first 30 % of the messages to train on."""
    if name == "names":
        return train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
    n = round(0.3 * len(y))
    return X[:n], X[n:], y[:n], y[n:]


TEXTS = {
    "names": (names, {"bidirectional": True}),
    "messages": (messages, {"analyzer": "word", "readout": "max"}),
}


def texts(args):
    """Texts as sequences of tokens."""
    lines = []
    for name, (read, params) in TEXTS.items():
        X, y = read(args.data)
        found = {"RNNClassifier": [], "TF-IDF and LogisticRegression": []}
        for seed in range(args.seeds):
            train, test, y_train, y_test = halves(X, y, seed, name)
            peer = make_pipeline(
                TfidfVectorizer(analyzer="char", ngram_range=(1, 4), lowercase=False),
                LogisticRegression(max_iter=1000),
            )
            ours = RNNClassifier(random_state=seed, **params)
            for net, results in zip((ours, peer), found.values(), strict=True):
                results.append(fitted_score(net, train, y_train, test, y_test))
                print(f"{name} {seed}", type(net).__name__, *results[-1], flush=True)
        for label, results in found.items():
            accuracy, seconds = np.mean(results, 0)
            lines.append([name, label, f"{accuracy:.4f}", f"{seconds:.0f}"])
    print_table(["texts", "model", "accuracy", "seconds of CPU"], lines)


def float64(args):
    """Float64 series at default threads against float32 on one."""
    sets = {"1000 series 8 x 2": (1000, 8, 2), "100 series 200 x 1": (100, 200, 1)}
    table(sets, args.rounds)


SECTIONS = {
    "archive": archive,
    "regression": regression,
    "lengths": lengths,
    "texts": texts,
    "float64": float64,
}


def main():
    """Print each section's tables and floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=".", help="folder of the data sets")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    parser.add_argument("--sets", nargs="+", choices=PUBLISHED, default=[*PUBLISHED])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="of the timed epochs")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    print_versions()
    torch.set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        for name in args.sections:
            SECTIONS[name](args)


if __name__ == "__main__":
    main()
