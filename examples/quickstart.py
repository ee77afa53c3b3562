"""
The main job: a tuned network, stacked, compared and exported
=============================================================

Where is the hand of a robot arm with eight joints? A Pipeline around a network is
searched like any estimator of scikit-learn: first in two processes, then with all its
networks trained together. Tuned rivals get the same rows, and the search becomes one
ONNX file that predicts without torch.

Run it with ``python examples/quickstart.py --figure quickstart.png``; without
``--figure`` no file is left behind.
"""

import argparse
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    FitCurveDisplay,
    MLPRegressor,
    OnnxRegressor,
    stacking_report,
    to_onnx,
)

OURS = "sklearn_deep, MLP"
GRID = {
    "mlpregressor__activation": ["tanh", "silu"],
    "mlpregressor__learning_rate": [0.02, 0.04],
    "mlpregressor__weight_decay": [0.0, 0.1],
}


def robot_arm(n_rows, seed=0):
    """Angles of eight joints in degrees, and where the hand is, measured in cm.

    The links are 10 cm long, and the camera is off by 0.5 cm in each direction.
    """
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-90, 90, (n_rows, 8))
    direction = np.radians(angles).cumsum(axis=1)
    hand = 10 * np.c_[np.cos(direction).sum(axis=1), np.sin(direction).sum(axis=1)]
    return angles, hand + rng.normal(0, 0.5, hand.shape)


def rivals():
    """Searches over estimators of scikit-learn, each over its most telling parameters."""
    network = SklearnMLPRegressor(
        hidden_layer_sizes=(64, 64), max_iter=200, random_state=0
    )
    kernel = make_pipeline(StandardScaler(), KernelRidge(kernel="rbf"))
    boosting = HistGradientBoostingRegressor(random_state=0)
    searches = {
        "scikit-learn, MLP": (
            make_pipeline(StandardScaler(), network),
            {
                "mlpregressor__activation": ["relu", "tanh"],
                "mlpregressor__learning_rate_init": [0.005, 0.01, 0.02],
            },
        ),
        "scikit-learn, kernel ridge": (
            TransformedTargetRegressor(kernel, transformer=StandardScaler()),
            {
                "regressor__kernelridge__gamma": [0.1, 0.2, 0.4],
                "regressor__kernelridge__alpha": [1e-6, 1e-4, 1e-2],
            },
        ),
        "scikit-learn, boosted trees": (
            MultiOutputRegressor(boosting),
            {
                "estimator__learning_rate": [0.1, 0.2],
                "estimator__max_leaf_nodes": [31, 63],
            },
        ),
    }
    return {
        name: GridSearchCV(model, grid, cv=3, n_jobs=2)
        for name, (model, grid) in searches.items()
    }


@contextmanager
def timed(seconds, name):
    """Add the seconds that a block takes to a dictionary."""
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def distances(model, X, y):
    """How far each prediction is from the measured hand, in cm."""
    return np.hypot(*(model.predict(X) - y).T)


def search_twice(X, y, seconds):
    """The same search in two processes and stacked; both give the same scores."""
    network = MLPRegressor(
        (64, 64), batch_size=32, max_epochs=40, dropout=0, random_state=0
    )
    stacked = GridSearchCV(make_pipeline(StandardScaler(), network), GRID, cv=3)
    processes = clone(stacked).set_params(n_jobs=2, refit=False)
    with timed(seconds, "our search, n_jobs=2"):
        processes.fit(X, y)
    with (
        timed(seconds, "our search, stacked"),
        joblib.parallel_config(backend="stacked"),
    ):
        stacked.fit(X, y)
    scores = [s.cv_results_["mean_test_score"] for s in (processes, stacked)]
    print(
        f"largest difference between their scores: {np.ptp(scores, axis=0).max():.0e}"
    )
    print(stacking_report(), end="\n\n")
    return stacked


def result_table(search):
    """The configurations of a search, best first."""
    columns = [f"param_{name}" for name in GRID]
    scores = ["mean_test_score", "std_test_score"]
    table = pd.DataFrame(search.cv_results_)[[*columns, *scores]]
    table = table.rename(columns=lambda c: c.removeprefix("param_mlpregressor__"))
    return table.sort_values("mean_test_score", ascending=False, ignore_index=True)


def comparison(errors, seconds):
    """Mean error with its 95 % interval, and the time of the search, best first."""
    rows = {
        name: {
            "error [cm]": error.mean(),
            "+-": 1.96 * error.std(ddof=1) / np.sqrt(len(error)),
            "search [s]": seconds[name],
        }
        for name, error in errors.items()
    }
    return pd.DataFrame(rows).T.sort_values("error [cm]")


def draw(table, search, parts, path):
    """The errors of all models, and the fit of the best network."""
    X_train, X_test, y_train, y_test = parts
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    colors = ["C0" if name == OURS else "0.7" for name in table.index]
    bars = axes[0].barh(
        table.index, table["error [cm]"], xerr=table["+-"], color=colors
    )
    axes[0].bar_label(bars, fmt="%.1f cm", padding=6)
    axes[0].invert_yaxis()
    axes[0].margins(x=0.25)
    axes[0].set(xlabel="mean distance from the hand in cm, on new rows")

    scaler, network = clone(search.best_estimator_)
    network.fit(
        scaler.fit_transform(X_train),
        y_train,
        X_val=scaler.transform(X_test),
        y_val=y_test,
    )
    FitCurveDisplay.from_estimator(network, ax=axes[1], log_scale=True)
    axes[1].set_title("the network that the search chose")
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")


def main():
    """Search, compare, export, and draw."""
    parser = argparse.ArgumentParser(description="The main job.")
    parser.add_argument("--figure", help="where to save the picture")
    args = parser.parse_args()

    start, seconds = time.perf_counter(), {}
    # 4,000 rows to test on: of 400, intervals would be three times as wide.
    parts = train_test_split(*robot_arm(6000), train_size=2000, random_state=0)
    X_train, X_test, y_train, y_test = parts

    search = search_twice(X_train, y_train, seconds)
    print(result_table(search).round(4).to_string(), end="\n\n")

    errors = {OURS: distances(search, X_test, y_test)}
    seconds[OURS] = seconds["our search, stacked"]
    for name, rival in rivals().items():
        with timed(seconds, name), warnings.catch_warnings():
            # 200 epochs of scikit-learn's MLP, five times ours, are not always enough.
            warnings.simplefilter("ignore", ConvergenceWarning)
            rival.fit(X_train, y_train)
        errors[name] = distances(rival, X_test, y_test)
        print(name, rival.best_params_)
    table = comparison(errors, seconds)
    print(table.round(2).to_string(), end="\n\n")

    with tempfile.TemporaryDirectory() as folder, timed(seconds, "ONNX file"):
        path = Path(folder) / "arm.onnx"
        print(to_onnx(search, X_train, path))
        error = distances(OnnxRegressor(path), X_test, y_test).mean()
        print(f"the file, read by onnxruntime: {error:.2f} cm", end="\n\n")

    if args.figure:
        with timed(seconds, "picture"):
            draw(table, search, parts, args.figure)
    print(pd.Series(seconds).drop(OURS).round(1).to_string())
    print(f"{time.perf_counter() - start:.0f} seconds in all")


if __name__ == "__main__":
    main()
