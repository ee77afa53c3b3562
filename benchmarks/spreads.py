"""Predicted distributions on tables: gaussian and quantiles from one network each.

    python benchmarks/spreads.py --data DIR [--sets concrete ...] [--splits 3] [--jobs 2]

They stand beside gradient boosting with one model per quantile. CRPS is the continuous
ranked probability score; from three quantiles (.05, .5, .95) it is twice the mean pinball
loss. Both are in standard deviations of the target. "inside" is the share of test rows
within the 90 % interval. california_housing has a second row, with the features' quantiles
mapped to a normal distribution, as published figures have it.
"""

import argparse

import numpy as np
from _common import print_table, print_versions, verdict
from _tables import SETS, load
from joblib import Parallel, delayed
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss, r2_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from sklearn_deep import MLPRegressor

SHARES = (0.05, 0.5, 0.95)
QUANTILES = "california_housing"


def crps(y, mean, std):
    """Continuous ranked probability score of normal distributions, in closed form."""
    z = (y - mean) / std
    score = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
    return float(np.mean(std * score))


def crps_of_quantiles(y, values):
    """The same score from a few quantiles: twice the mean of their pinball losses.

    Values have the quantiles on a last axis.
    """
    losses = [
        mean_pinball_loss(y, values[..., i], alpha=share)
        for i, share in enumerate(SHARES)
    ]
    return 2 * float(np.mean(losses))


def measure_spreads(X_train, y_train, X_test, y_test, seed):
    """Fit the squared error, both kinds of distribution and boosting on one split.

    Returns
    -------
    dict of str to float
        Scores in standard deviations of the training targets.
    """
    own = y_train.std(0)
    y = y_test / own
    squared = MLPRegressor(random_state=seed).fit(X_train, y_train)
    gaussian = MLPRegressor(loss="gaussian", random_state=seed).fit(X_train, y_train)
    mean, std = gaussian.predict(X_test, return_std=True)
    z = norm.ppf(SHARES)
    of_gaussian = (mean / own)[..., None] + (std / own)[..., None] * z
    several = MLPRegressor(
        loss="quantile", loss_params={"quantile": list(SHARES)}, random_state=seed
    ).fit(X_train, y_train)
    of_network = np.moveaxis(np.moveaxis(several.predict(X_test), -1, 0) / own, 0, -1)
    of_boosting = _boosted(X_train, y_train, X_test, seed) / np.expand_dims(own, -1)
    found = {
        "R2": r2_score(y_test, squared.predict(X_test)),
        "R2 gaussian": r2_score(y_test, mean),
        "CRPS gaussian": crps(y, mean / own, std / own),
        "largest std": float((std / own).max()),
    }
    predicted = {
        "gaussian": of_gaussian,
        "quantiles": of_network,
        "HistGB": of_boosting,
    }
    for name, values in predicted.items():
        found[f"CRPS of 3 {name}"] = crps_of_quantiles(y, values)
        inside = (values[..., 0] <= y) & (y <= values[..., -1])
        found[f"inside {name}"] = float(inside.mean())
    return found


def _boosted(X_train, y_train, X_test, seed):
    """Quantiles of gradient boosting, one model per quantile and target."""
    columns = []
    for share in SHARES:
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=share, random_state=seed
        )
        model = MultiOutputRegressor(model) if y_train.ndim == 2 else model
        columns.append(model.fit(X_train, y_train).predict(X_test))
    return np.stack(columns, -1)


COLUMNS = {
    "R2, squared error": "R2",
    "R2, gaussian": "R2 gaussian",
    "CRPS, gaussian": "CRPS gaussian",
    "largest std": "largest std",
    "inside, gaussian": "inside gaussian",
    "inside, quantiles": "inside quantiles",
    "inside, HistGB": "inside HistGB",
    "3 quantiles: gaussian": "CRPS of 3 gaussian",
    "3 quantiles: network": "CRPS of 3 quantiles",
    "3 quantiles: HistGB": "CRPS of 3 HistGB",
}

FLOORS = {
    "gaussian: R2 within .02 of the squared error's": lambda m: (
        m["R2 gaussian"] >= m["R2"] - 0.02
    ),
    "gaussian: 87-93 % of the test rows in the 90 % interval": lambda m: (
        0.87 <= m["inside gaussian"] <= 0.93
    ),
    "gaussian: no standard deviation beyond five of the target's own": lambda m: (
        m["largest std"] <= 5
    ),
    "quantiles: 85-95 % of the test rows between those of .05 and .95": lambda m: (
        0.85 <= m["inside quantiles"] <= 0.95
    ),
}


def run(folder, name, i, quantiles):
    """Prepare and measure one split of a set."""
    import torch

    torch.set_num_threads(1)
    table = load(folder, name)
    train, test = table.split(i)
    steps = [table.preprocessing()]
    if quantiles:
        steps.append(QuantileTransformer(output_distribution="normal", random_state=i))
    prepare = make_pipeline(*steps)
    X_train = prepare.fit_transform(table.X.iloc[train], table.y[train])
    X_test = prepare.transform(table.X.iloc[test])
    return measure_spreads(X_train, table.y[train], X_test, table.y[test], i)


def main():
    """Print the table, and the sets that miss a floor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print_versions()
    tables = {name: load(args.data, name) for name in args.sets}
    tables = {name: t for name, t in tables.items() if "regression" in t.task}
    rows = [(name, False) for name in tables]
    rows += [(QUANTILES, True)] if QUANTILES in tables else []
    n_splits = {name: table.n_splits(args.splits) for name, table in tables.items()}
    keys = [(*row, i) for row in rows for i in range(n_splits[row[0]])]
    runs = Parallel(n_jobs=args.jobs)(
        delayed(run)(args.data, name, i, quantiles) for name, quantiles, i in keys
    )
    report(rows, dict(zip(keys, runs, strict=True)))


def report(rows, results):
    """Print the means by set, and whether each floor holds."""
    averages, lines = {}, []
    for row in rows:
        found = [run for key, run in results.items() if key[:2] == row]
        mean = {key: np.mean([run[key] for run in found]) for key in found[0]}
        mean["largest std"] = max(run["largest std"] for run in found)
        label = f"{row[0]}, quantiles" if row[1] else row[0]
        averages[label] = mean
        cells = (f"{mean[key]:.3f}" for key in COLUMNS.values())
        lines.append([label, len(found), *cells])
    print_table(["set", "splits", *COLUMNS], lines)
    for floor, holds in FLOORS.items():
        missed = [label for label, mean in averages.items() if not holds(mean)]
        where = f" (missed by {', '.join(missed)})" if missed else ""
        print(verdict(not missed, floor) + where)


if __name__ == "__main__":
    main()
