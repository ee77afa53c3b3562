"""Wall time of an epoch of float64 rows at default threads, over float32 rows on one."""

import os
import time

import numpy as np
import torch
from _common import print_table, verdict
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_deep import (
    CNNAutoencoder,
    CNNClassifier,
    CNNRegressor,
    Flip,
    GaussianNoise,
    ModuleClassifier,
    Sliced,
)
from sklearn_deep.nn._cnn import ARCHITECTURES

FLOOR = 3.0
ONE_EPOCH = {"max_epochs": 1, "early_stopping": False, "random_state": 0}


def own(n_axes, n_in):
    """A module of a user's, with a transposed convolution in it."""
    layer, back = (
        (nn.Conv1d, nn.ConvTranspose1d)
        if n_axes == 1
        else (nn.Conv2d, nn.ConvTranspose2d)
    )
    pool = (nn.AdaptiveAvgPool1d if n_axes == 1 else nn.AdaptiveAvgPool2d)(1)
    return nn.Sequential(
        *(layer(n_in, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(back(32, 32, 4, stride=2, padding=1), nn.ReLU()),
        *(pool, nn.Flatten(), nn.Linear(32, 10)),
    )


def cases(n_axes, n_in):
    """Estimators at their defaults, for one epoch."""
    common = {"spatial_dims": n_axes, **ONE_EPOCH}
    noise = Flip() if n_axes == 2 else GaussianNoise(0.1)
    made = {name: CNNClassifier(architecture=name, **common) for name in ARCHITECTURES}
    made["CNNRegressor"] = CNNRegressor(**common)
    made["augmented"] = CNNClassifier(augmentation=noise, **common)
    made["Sliced"] = Sliced(CNNClassifier(**common), 0.5)
    made["CNNAutoencoder"] = CNNAutoencoder(
        spatial_dims=n_axes, max_epochs=1, random_state=0
    )
    made["own module"] = ModuleClassifier(
        own, module__n_axes=n_axes, module__n_in=n_in, **ONE_EPOCH
    )
    return made


def seconds(call, rounds):
    """The least wall time of some calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def on_threads(n, call):
    """Call on so many threads of torch's."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        return call()
    finally:
        torch.set_num_threads(before)


def ratios(net, X, y, rounds):
    """Fit and prediction: float64 at default threads over float32 on one."""
    single, default = X.astype(np.float32), os.cpu_count() or 1
    fits, predictions = [], []
    for rows, threads in ((X, default), (single, 1)):
        model = clone(net)
        model.fit(rows[:64], y[:64])  # what is imported or found once is not timed
        fit = lambda rows=rows, model=model: model.fit(rows, y)  # noqa: E731
        fits.append(on_threads(threads, lambda fit=fit: seconds(fit, rounds)))
        give = getattr(model, "predict", None) or model.transform
        call = lambda rows=rows, give=give: give(rows)  # noqa: E731
        predictions.append(on_threads(threads, lambda c=call: seconds(c, rounds)))
    return fits[0] / fits[1], predictions[0] / predictions[1]


def stacked(net, X, y, rounds):
    """A stacked search of ten small networks: the same ratio."""
    grid = {"learning_rate": [1e-3, 2e-3, 4e-3, 8e-3, 1e-2]}
    small = clone(net).set_params(conv_channels=(4, 8), batch_size=8)
    times = []
    for rows, threads in (
        (X, os.cpu_count() or 1),
        (X.astype(np.float32), 1),
    ):

        def search(rows=rows):
            with parallel_config("stacked"):
                GridSearchCV(small, grid, cv=2, refit=False).fit(rows, y)

        times.append(on_threads(threads, lambda s=search: seconds(s, rounds)))
    return times[0] / times[1]


def table(sets, rounds):
    """Print the ratios of every case on every set, and the verdict."""
    lines, worst = [], 0.0
    for name, shape in sets.items():
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=shape), rng.integers(0, 10, shape[0])
        n_axes, n_in = len(shape) - 2, shape[-1]
        for label, net in cases(n_axes, n_in).items():
            rows = X
            if label == "own module":
                rows = np.ascontiguousarray(np.moveaxis(X, -1, 1))
            fit, predict = ratios(net, rows, y, rounds)
            worst = max(worst, fit, predict)
            lines.append([name, label, fit, predict])
            print(*lines[-1], flush=True)
        few = stacked(cases(n_axes, n_in)["plain"], X[:128], y[:128], rounds)
        worst = max(worst, few)
        lines.append([name, "(4, 8) at batch 8, ten stacked", few, ""])
    head = ["rows", "network", "fit", "predict"]
    print_table(head, lines)
    print(
        verdict(
            worst <= FLOOR,
            f"float64 at default threads at most {FLOOR:g} times float32 on one"
            f" (worst {worst:.1f})",
        )
    )
