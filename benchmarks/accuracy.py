"""Accuracy of the defaults on tables, beside scikit-learn's MLP and boosting.

    python benchmarks/accuracy.py --data DIR [--sets adult ...] [--splits 3] [--jobs 2]

Sets of fewer than 2,000 rows are run on four times as many splits: their scores vary.

Every contestant has its defaults and the same preprocessing. Published splits are
used where there are any (repeated with other seeds where there is one), else random
80/20 splits. california_housing has a second row, with the features' quantiles mapped
to a normal distribution as the published figure has it.

A second table is about predicted distributions, on the sets with numeric targets: the
gaussian loss and several quantiles from one network, beside gradient boosting with one
model per quantile. CRPS is the continuous ranked probability score; from three quantiles
(.05, .5, .95) it is twice the mean pinball loss. Both are in standard deviations of the
target. "inside" is the share of test rows within the 90 % interval. ``--tables scores`` or
``--tables spreads`` prints one of the two.
"""

import argparse
import time
import warnings

import numpy as np
from _common import print_table, print_versions, verdict
from _spreads import COLUMNS, FLOORS, measure_spreads
from _tables import PUBLISHED, load
from joblib import Parallel, delayed
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from sklearn_deep import MLPClassifier, MLPRegressor

SETS = [
    "adult",
    "churn_modelling",
    "credit_approval",
    "credit_g",
    "letter",
    "phoneme",
    "soybean",
    "titanic",
    "abalone",
    "california_housing",
    "concrete",
    "cpu_act",
    "elevators",
    "kin8nm",
    "pol",
    "wine_quality_red",
    "yacht",
    "emotions",
    "energy_efficiency",
    "jura",
    "yeast",
]

QUANTILES = "california_housing"
SMALL = 2000  # rows


def boosting(table, seed):
    """Gradient boosting for the task, one model a target."""
    if table.is_classification:
        model = HistGradientBoostingClassifier(random_state=seed)
        return MultiOutputClassifier(model) if table.y.ndim == 2 else model
    model = HistGradientBoostingRegressor(random_state=seed)
    return MultiOutputRegressor(model) if table.y.ndim == 2 else model


def ours(table, seed):
    """sklearn_deep with its defaults."""
    cls = MLPClassifier if table.is_classification else MLPRegressor
    return cls(random_state=seed)


def sklearn_mlp(table, seed):
    """scikit-learn's MLP with its defaults."""
    cls = SklearnClassifier if table.is_classification else SklearnRegressor
    return cls(random_state=seed)


CONTESTANTS = {"ours": ours, "MLP": sklearn_mlp, "HistGB": boosting}


def prepared(table, i, quantiles):
    """X and y of the training part, and of the test part, of one split."""
    train, test = table.split(i)
    steps = [table.preprocessing()]
    if quantiles:
        steps.append(QuantileTransformer(output_distribution="normal", random_state=i))
    prepare = make_pipeline(*steps)
    X_train = prepare.fit_transform(table.X.iloc[train], table.y[train])
    X_test = prepare.transform(table.X.iloc[test])
    return X_train, table.y[train], X_test, table.y[test]


def run(folder, name, contestant, i, quantiles):
    """Score and seconds of CPU of one fit."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    table = load(folder, name)
    X_train, y_train, X_test, y_test = prepared(table, i, quantiles)
    model = CONTESTANTS[contestant](table, i)
    start = time.process_time()
    model.fit(X_train, y_train)
    seconds = time.process_time() - start
    return table.score(y_test, model.predict(X_test), y_train), seconds


def run_spreads(folder, name, i, quantiles):
    """What is measured of predicted distributions on one split."""
    import torch

    torch.set_num_threads(1)
    return measure_spreads(*prepared(load(folder, name), i, quantiles), i)


def main():
    """Print the table and the floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--tables",
        nargs="+",
        default=["scores", "spreads"],
        choices=["scores", "spreads"],
    )
    args = parser.parse_args()
    print_versions()

    rows = [(name, False) for name in args.sets]
    if QUANTILES in args.sets:
        rows.append((QUANTILES, True))
    tables = {name: load(args.data, name) for name in args.sets}
    n_splits = {
        name: args.splits * (4 if len(table.y) < SMALL else 1)
        for name, table in tables.items()
    }
    if "spreads" in args.tables:
        report_spreads(args, tables, n_splits, rows)
    if "scores" not in args.tables:
        return
    keys = [
        (name, quantiles, contestant, i)
        for name, quantiles in rows
        for contestant in CONTESTANTS
        for i in range(n_splits[name])
    ]
    runs = Parallel(n_jobs=args.jobs)(
        delayed(run)(args.data, name, contestant, i, quantiles)
        for name, quantiles, contestant, i in keys
    )
    results = dict(zip(keys, runs, strict=True))
    report(tables, n_splits, rows, results)


def report_spreads(args, tables, n_splits, rows):
    """Print the table of predicted distributions, and the sets that miss a floor."""
    rows = [row for row in rows if "regression" in tables[row[0]].task]
    keys = [
        (name, quantiles, i) for name, quantiles in rows for i in range(n_splits[name])
    ]
    runs = Parallel(n_jobs=args.jobs)(
        delayed(run_spreads)(args.data, name, i, quantiles)
        for name, quantiles, i in keys
    )
    results = dict(zip(keys, runs, strict=True))
    means, lines = {}, []
    for name, quantiles in rows:
        found = [results[name, quantiles, i] for i in range(n_splits[name])]
        mean = {key: np.mean([run[key] for run in found]) for key in found[0]}
        mean["largest std"] = max(run["largest std"] for run in found)
        label = f"{name}, quantiles" if quantiles else name
        means[label] = mean
        lines.append([label, *(f"{mean[key]:.3f}" for key in COLUMNS.values())])
    print_table(["set", *COLUMNS], lines)
    for floor, holds in FLOORS.items():
        missed = [label for label, mean in means.items() if not holds(mean)]
        where = f" (missed by {', '.join(missed)})" if missed else ""
        print(verdict(not missed, floor) + where)


def report(tables, n_splits, rows, results):
    """Print the table, and whether each floor holds."""
    lines, wins = [], {}
    means = {}
    for name, quantiles in rows:
        table = tables[name]
        cells = []
        for contestant in CONTESTANTS:
            runs = [
                results[name, quantiles, contestant, i] for i in range(n_splits[name])
            ]
            scores = np.array([score for score, _ in runs])
            means[name, quantiles, contestant] = scores.mean()
            error = scores.std(ddof=1) / np.sqrt(len(scores))
            seconds = np.mean([s for _, s in runs])
            cells.append(f"{scores.mean():.4f} ± {error:.4f} ({seconds:.1f} s)")
        gain = means[name, quantiles, "ours"] - means[name, quantiles, "MLP"]
        won = gain > 0 if table.higher_is_better else gain < 0
        if not quantiles:
            wins[name] = won
        figure, source = PUBLISHED.get(name, ("", ""))
        label = f"{name}, quantiles" if quantiles else name
        lines.append(
            [label, table.metric, *cells, str(figure), source, "yes" if won else "no"]
        )
    head = ["set", "score", *CONTESTANTS, "published MLP", "source", "above MLP"]
    print_table(head, lines)
    share = sum(wins.values()) / len(wins)
    print(
        verdict(
            share >= 0.75,
            f"better than scikit-learn's MLP on three quarters of the sets ({share:.0%})",
        )
    )
    if "adult" in tables:
        reached = means["adult", False, "ours"] >= 0.852
        print(verdict(reached, "adult: accuracy .852"))
    if QUANTILES in tables:
        reached = means[QUANTILES, True, "ours"] <= 0.499
        print(verdict(reached, "california_housing: RMSE .499"))


if __name__ == "__main__":
    main()
