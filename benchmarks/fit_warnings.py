"""Which fits warn: sound ones, which should not, and ones with a planted fault, which should.

    python benchmarks/fit_warnings.py --data DIR [--seeds 1] [--rows 2000]

Sound fits are our estimators at defaults on the sets of the other benchmarks: tables
behind the benchmark's preprocessing (and behind other scalers), ``TabularClassifier`` on
the frames themselves, images of 8 bits, series of equal and of unequal length, and texts as
tokens. The faults are planted in the fits of the tables. The last rows are the CPU time of
a fit with the warnings' checks over that of one without.
"""

import argparse
import time
import warnings
from collections import Counter

import numpy as np
import torch
from _common import print_table, print_versions, verdict
from _tables import SETS, load
from images import fashion
from series import TEXTS, equal, unequal
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
)
from threadpoolctl import threadpool_limits

import sklearn_deep.estimators.core._fit as fit_module
from sklearn_deep import (
    CNNClassifier,
    DeadUnitsWarning,
    FitWarning,
    MLPClassifier,
    MLPRegressor,
    NotConvergedWarning,
    RNNClassifier,
    SmallValidationWarning,
    TabularClassifier,
    TabularRegressor,
    UnscaledFeaturesWarning,
)

SERIES = ["Coffee", "ECG200", "GunPoint", "ItalyPowerDemand", "Plane", "BasicMotions"]
SCALERS = [MinMaxScaler, MaxAbsScaler, QuantileTransformer]

# Parameters that plant a fault, and the warning that should come of it.
FAULTS = {
    "max_epochs=2": ({"max_epochs": 2}, NotConvergedWarning),
    "max_epochs=4": ({"max_epochs": 4}, NotConvergedWarning),
    "learning_rate=3e-5": ({"learning_rate": 3e-5}, NotConvergedWarning),
    "learning_rate=0.5, relu": (
        {"learning_rate": 0.5, "activation": "relu"},
        DeadUnitsWarning,
    ),
    "6 validation rows": (
        {"early_stopping": True, "validation_fraction": None},
        SmallValidationWarning,
    ),
}


def kinds_of(network, X, y):
    """Classes of the warnings of a fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FitWarning)
        network.fit(X, y)
    return {w.category for w in caught}


def training_rows(table, most):
    """Some training rows of a table."""
    rows, _ = table.split(0)
    rng = np.random.default_rng(0)
    return rng.choice(rows, most, replace=False) if len(rows) > most else rows


def plain(table, **params):
    """The default network of a table."""
    make = MLPClassifier if table.is_classification else MLPRegressor
    return make(**params)


def sound_tables(folder, most, seed):
    """Networks on tables, behind scalers and by themselves."""
    for name in SETS:
        table = load(folder, name)
        rows = training_rows(table, most)
        frame, y = table.X.iloc[rows], table.y[rows]
        yield (
            f"{name}",
            make_pipeline(table.preprocessing(), plain(table, random_state=seed)),
            frame,
            y,
        )
        numbers = frame.select_dtypes("number")
        for scaler in SCALERS if numbers.shape[1] else []:
            steps = SimpleImputer(), scaler(), plain(table, random_state=seed)
            yield f"{name} {scaler.__name__}", make_pipeline(*steps), numbers, y
        if y.ndim == 1:
            tabular = TabularClassifier if table.is_classification else TabularRegressor
            yield f"{name} Tabular", tabular(random_state=seed), table.frame(rows), y


def sound_others(folder, most, seed):
    """Networks on images, series and texts."""
    X, y, *_ = fashion(folder)
    yield "fashion", CNNClassifier(random_state=seed), X[:most], y[:most]
    for name in SERIES:
        X, y, *_ = equal(folder, name)
        for make in (CNNClassifier, RNNClassifier):
            more = {"spatial_dims": 1} if make is CNNClassifier else {}
            network = make(channels="first", random_state=seed, **more)
            yield f"{name} {make.__name__}", network, X, y
    X, y, *_ = unequal(folder, "JapaneseVowels")
    yield "JapaneseVowels", RNNClassifier(random_state=seed), X, y
    for name, (read, params) in TEXTS.items():
        X, y = read(folder)
        X, _, y, _ = train_test_split(
            X, y, train_size=most, random_state=seed, stratify=y
        )
        yield name, RNNClassifier(random_state=seed, **params), X, y


def faulty(table, rows, seed):
    """Fits with a planted fault: name, network, X, y and the warning that should come."""
    frame, y = table.X.iloc[rows], table.y[rows]
    for name, (params, kind) in FAULTS.items():
        params = {k: 6 / len(y) if v is None else v for k, v in params.items()}
        network = plain(table, random_state=seed, **params)
        yield name, make_pipeline(table.preprocessing(), network), frame, y, kind
    X = np.asarray(table.preprocessing().fit_transform(frame))
    shapes = {
        "all columns x 30": X * 30,
        "all columns + 10": X + 10,
        "one column x 100": np.column_stack([X[:, 0] * 100, X[:, 1:]]),
    }
    for name, values in shapes.items():
        network = plain(table, random_state=seed)
        yield name, network, values, y, UnscaledFeaturesWarning


def cost(rounds=7):
    """CPU time of small fits with the checks, over that without."""
    rng = np.random.default_rng(0)
    ratios = []
    checks = fit_module.warn_of_fit
    for n, d, epochs in ((200, 10, 10), (1800, 64, 30), (20_000, 100, 3)):
        X, y = rng.normal(size=(n, d)).astype(np.float32), rng.integers(0, 2, n)
        times = {True: [], False: []}
        for _ in range(rounds):
            for on in (True, False):
                fit_module.warn_of_fit = checks if on else lambda fit: None
                start = time.process_time()
                MLPClassifier(max_epochs=epochs, random_state=0).fit(X, y)
                times[on].append(time.process_time() - start)
        fit_module.warn_of_fit = checks
        ratios.append(
            [f"{n} x {d}, {epochs} epochs", min(times[True]) / min(times[False])]
        )
    return ratios


def main():
    """Print who warns, and what the checks cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--sets", nargs="*", default=SETS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print_versions()
    n_sound, warned, fired = 0, Counter(), {}
    with threadpool_limits(1):
        for seed in range(args.seeds):
            for source in (sound_tables, sound_others):
                for name, network, X, y in source(args.data, args.rows, seed):
                    n_sound += 1
                    for kind in kinds_of(network, X, y):
                        warned[kind.__name__] += 1
                        print(
                            f"  sound, but warns: {name}: {kind.__name__}", flush=True
                        )
            for name in args.sets:
                table = load(args.data, name)
                rows = training_rows(table, args.rows)
                for fault, network, X, y, kind in faulty(table, rows, seed):
                    found = kind in kinds_of(network, X, y)
                    fired.setdefault(fault, []).append(found)
                    if not found:
                        print(f"  silent: {fault} on {name}", flush=True)
        costs = cost()
    share = sum(warned.values()) / n_sound
    lines = [["sound", f"{sum(warned.values())} of {n_sound}"]]
    lines += [
        [fault, f"{sum(found)} of {len(found)}"] for fault, found in fired.items()
    ]
    print_table(["fits", "that warn"], lines)
    print_table(["fit", "CPU time with the checks / without"], costs)
    print(verdict(share <= 0.02, "at most 2 % of the sound fits warn"))
    print(verdict(max(r for _, r in costs) <= 1.05, "the checks cost at most 5 %"))


if __name__ == "__main__":
    main()
