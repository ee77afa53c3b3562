"""One network for several tasks against a network per task: scores and CPU seconds."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import print_table
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import MLPClassifier, MLPRegressor, MultiTask

# The same layers and training for all networks.
SETTINGS = {
    "hidden_layer_sizes": (128, 128),
    "dropout": 0.1,
    "learning_rate": 3e-3,
    "batch_size": 32,
    "max_epochs": 60,
    "early_stopping": False,
    "n_iter_no_change": None,
}
SEEDS = range(3)


def adult(folder):
    """Income, hours and marital status from the other columns; 5,000 training rows."""
    tasks = ["income", "hours_per_week", "marital_status"]
    parts = [pd.read_csv(folder / "adult" / f"{p}.csv.gz") for p in ("train", "test")]
    parts[0] = parts[0].sample(5000, random_state=0)
    return _prepared(*parts, tasks, leave_out=["relationship"])


def energy_efficiency(folder, seed=0):
    data = pd.read_csv(folder / "energy_efficiency" / "data.csv.gz")
    return _split(data, list(data.columns[-2:]), seed)


def jura(folder, seed=0):
    data = pd.read_csv(folder / "jura" / "data.csv.gz")
    return _split(data, list(data.columns[-3:]), seed)


def yeast(folder):
    parts = [pd.read_csv(folder / "yeast" / f"{p}.csv.gz") for p in ("train", "test")]
    return _prepared(*parts, list(parts[0].columns[-14:]))


def _split(data, tasks, seed):
    order = np.random.default_rng(seed).permutation(len(data))
    n = len(data) // 4
    return _prepared(data.iloc[order[n:]], data.iloc[order[:n]], tasks)


def _prepared(train, test, tasks, leave_out=()):
    """Scaled and encoded features, and targets: labels as text, numbers as floats."""
    numbers = [
        c for c in train if c not in tasks and pd.api.types.is_numeric_dtype(train[c])
    ]
    texts = [c for c in train if c not in {*tasks, *numbers, *leave_out}]
    encode = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), texts),
    )
    encode.fit(train)
    y = [_targets(part[tasks]) for part in (train, test)]
    return encode.transform(train), y[0], encode.transform(test), y[1]


def _targets(y):
    def is_label(column):
        return (
            column.dtype == object
            or column.nunique() == 2
            or str(column.dtype) == "str"
        )

    return pd.DataFrame(
        {c: y[c].astype(str) if is_label(y[c]) else y[c].astype(float) for c in y}
    )


def _alone(X, y, X_test, y_test, seed, **params):
    """Score of each task by a network of its own, and CPU seconds of all trainings."""
    scores, seconds = {}, 0.0
    for name in y:
        known = y[name].notna().to_numpy()
        kind = MLPRegressor if y[name].dtype == float else MLPClassifier
        net = kind(**{**SETTINGS, "random_state": seed, **_own(params, known)})
        start = time.process_time()
        net.fit(X[known], y[name][known])
        seconds += time.process_time() - start
        scores[name] = net.score(X_test, y_test[name])
    return scores, seconds


def _own(params, known):
    """As many steps as the shared network takes, where ``n_steps`` asks for them."""
    params = dict(params)
    n_steps = params.pop("n_steps", None)
    if n_steps is not None:
        params["max_epochs"] = round(n_steps / np.ceil(known.sum() / 32))
    return params


def _together(X, y, X_test, y_test, seed, **params):
    net = MLPRegressor(**{**SETTINGS, "random_state": seed})
    start = time.process_time()
    model = MultiTask(net, **params).fit(X, y)
    seconds = time.process_time() - start
    return model.task_scores(X_test, y_test), seconds


WEIGHTS = ("balanced", "equal", "uncertainty")


def complete(folder):
    """Scores on complete targets: the mean, and the task that loses most."""
    rows = []
    for load in (adult, energy_efficiency, jura, yeast):
        by_seed = load in (energy_efficiency, jura)
        parts = [load(folder, s) if by_seed else load(folder) for s in SEEDS]
        alone = [_alone(*p, s) for p, s in zip(parts, SEEDS, strict=True)]
        own, own_seconds = _means(alone)
        k = len(own)
        for weight in WEIGHTS:
            found = [
                _together(*p, s, task_weight=weight)
                for p, s in zip(parts, SEEDS, strict=True)
            ]
            scores, seconds = _means(found)
            change = scores - own
            rows.append(
                [
                    load.__name__,
                    k,
                    weight,
                    f"{own.mean():.4f}",
                    f"{scores.mean():.4f}",
                    f"{change.min():+.4f} ({change.idxmin()})",
                    f"{seconds / own_seconds:.2f}",
                    f"{1 / k + 1 / 3:.2f}",
                ]
            )
    head = ["data", "tasks", "weights", "alone", "together", "worst change"]
    print_table([*head, "time ratio", "bound"], rows)


def _means(found):
    scores = pd.DataFrame([scores for scores, _ in found]).mean()
    return scores, np.mean([seconds for _, seconds in found])


def missing(folder, share=0.6):
    """R^2 where a share of the targets is missing; all networks take as many steps."""
    rows = {}
    for seed in range(5):
        X, y, X_test, y_test = energy_efficiency(folder, seed)
        gaps = np.random.default_rng(100 + seed).random(y.shape) < share
        y = y.mask(gaps)
        n_steps = SETTINGS["max_epochs"] * np.ceil(y.notna().any(axis=1).sum() / 32)
        found = {"alone": _alone(X, y, X_test, y_test, seed, n_steps=n_steps)[0]}
        for weight in WEIGHTS:
            found[weight] = _together(X, y, X_test, y_test, seed, task_weight=weight)[0]
        for name, scores in found.items():
            rows.setdefault(name, []).append(scores)
    means = {name: pd.DataFrame(scores).mean() for name, scores in rows.items()}
    print_table(
        ["network", *means["alone"].index],
        [[name, *(f"{v:.4f}" for v in mean)] for name, mean in means.items()],
    )


def multi_task(folder):
    complete(Path(folder))
    missing(Path(folder))
