"""Compressed networks: what they lose, how small they are, how fast onnxruntime runs them.

    python benchmarks/compression.py [--data DIR] [--seeds 3] [--sections digits-MLP ...]

Digits come with scikit-learn; with ``--data`` also Fashion-MNIST with its official split.
Every compression starts from the same trained network. Scores and sizes are means over
seeds; speeds are ratios to the dense network, of batches of 1,024 rows in onnxruntime on
one thread, taken in turn. Beside them onnxruntime's own quantizer on the same file, and,
where it is installed, torch-pruning on the same network at the same share of units, with
as much fine-tuning.
"""

import argparse
import copy
import logging
import tempfile
import time
import warnings
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from _common import best_times, print_table, print_versions, verdict
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    Pruned,
    Quantized,
    Sliced,
    to_onnx,
)
from sklearn_deep.compression._network import fine_tune, with_module
from sklearn_deep.estimators.core._parts import FitArguments

ROWS, ROUNDS = 1024, 30


def digits(seed, images):
    """Digits, a quarter of them for the test."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X = X.reshape(-1, 8, 8) if images else X
    return train_test_split(X, y, stratify=y, random_state=seed)


def fashion(folder, images):
    """Fashion-MNIST with its official split."""
    with np.load(Path(folder) / "fashion_mnist" / "fashion_mnist_60k.npz") as data:
        X, X_test, y, y_test = (
            data[key] for key in ("X_train", "X_test", "y_train", "y_test")
        )
    if not images:
        X, X_test = (
            x.reshape(len(x), -1).astype(np.float32) / 255 for x in (X, X_test)
        )
    return X, X_test, y, y_test


NETWORKS = {
    "MLP": lambda seed: MLPClassifier((512, 512), random_state=seed),
    "CNN": lambda seed: CNNClassifier(random_state=seed),
}

# What a compression may lose (points), must gain in speed, and may leave of the bytes.
FLOORS = {
    "MLP": {
        "Sliced .5": (0.5, 3.0, None),
        "Sliced .2": (1.5, 10.0, None),
        "Pruned .9": (1.0, None, None),
        "Quantized": (0.3, 2.0, 0.28),
        "Quantized(Sliced .5)": (1.0, 6.0, 0.15),
    },
    "CNN": {
        "Sliced .5": (0.5, 3.0, None),
        "Pruned .9": (1.0, None, None),
        "Quantized": (0.3, None, 0.28),
        "Quantized(Sliced .5)": (1.0, None, 0.15),
    },
}


def compressed(network, X, y):
    """Each compression of a fitted network, fine-tuned for the default 10 epochs."""
    frozen = FrozenEstimator(network)
    half = Sliced(frozen, 0.5).fit(X, y)
    models = {
        "Sliced .5": half,
        "Sliced .2": Sliced(frozen, 0.2, rounds=2).fit(X, y),
        "Pruned .9": Pruned(frozen, 0.9).fit(X, y),
        "Quantized": Quantized(frozen).fit(X, y),
        "Quantized, 7 bits": Quantized(frozen, 7).fit(X, y),
        "Quantized(Sliced .5)": Quantized(FrozenEstimator(half)).fit(X, y),
    }
    if find_spec("torch_pruning"):
        for share in (".5", ".2"):
            ours = models[f"Sliced {share}"]
            epochs = ours.rounds * ours.fine_tune_epochs
            models[f"torch-pruning {share}"] = by_torch_pruning(
                network, X, y, float(share), epochs
            )
    return models


def by_torch_pruning(network, X, y, keep, epochs):
    """The same network with units removed by torch-pruning, fine-tuned as ours."""
    import torch_pruning

    module = copy.deepcopy(network.module_)
    x = torch.from_numpy(X[:2])
    pruner = torch_pruning.pruner.MagnitudePruner(
        module,
        x if x.is_floating_point() else x.float() / 255,
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=1 - keep,
        ignored_layers=[module.output],
    )
    pruner.step()
    sizes = {
        "hidden_layer_sizes": [b.layers[0].out_features for b in module.hidden],
    }
    if hasattr(module, "blocks"):
        sizes["conv_channels"] = [block[0].out_channels for block in module.blocks]
    params = {name: tuple(value) for name, value in sizes.items()}
    small = with_module(network, module, sizes, **params)
    rate = network.learning_rate_
    return fine_tune(small, FitArguments(X, y), epochs=epochs, learning_rate=rate)


class Rows(CalibrationDataReader):
    """Training rows, some hundreds of them, as onnxruntime's quantizer reads them."""

    def __init__(self, X):
        self._batches = iter(
            [{"X": X[start : start + 100]} for start in range(0, 1000, 100)]
        )

    def get_next(self):
        """Give a batch, or None."""
        return next(self._batches, None)


def by_onnxruntime(content, X, folder):
    """The dense file, quantized by onnxruntime itself: static, a scale a channel."""
    source, target = Path(folder) / "dense.onnx", Path(folder) / "whole.onnx"
    source.write_bytes(content)
    quantize_static(
        source,
        target,
        Rows(X),
        per_channel=True,
        # Without VNNI its weights overflow but for this.
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Gemm", "MatMul", "Conv", "MaxPool", "Relu"],
    )
    return target.read_bytes()


def session(content):
    """Open a file on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )


def predicted(content, X):
    """Labels and probabilities of a file, a batch of rows at a time."""
    opened = session(content)
    parts = [
        opened.run(None, {"X": X[start : start + ROWS]})
        for start in range(0, len(X), ROWS)
    ]
    labels, probabilities = zip(*parts, strict=True)
    return np.concatenate(labels), np.concatenate(probabilities)


def speeds(contents, X):
    """Times faster than the first, of many rows at once."""
    rows = np.ascontiguousarray(X[np.arange(ROWS) % len(X)])
    runs = {}
    for name, content in contents.items():
        opened = session(content)
        runs[name] = lambda opened=opened: opened.run(None, {"X": rows})
    seconds = best_times(runs, ROUNDS, clock=time.perf_counter)
    dense = next(iter(seconds.values()))
    return {name: dense / value for name, value in seconds.items()}


def one_seed(kind, data, seed):
    """Of every model: accuracy, bytes, bytes zipped, speed; and the file against Python."""
    X, X_test, y, y_test = data
    network = NETWORKS[kind](seed).fit(X, y)
    models = {"dense": network, **compressed(network, X, y)}
    contents = {
        name: to_onnx(m, X_test[:64], tolerance=2e-3).to_bytes()
        for name, m in models.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        contents["onnxruntime's quantizer"] = by_onnxruntime(
            contents["dense"], X, folder
        )
    fast, table, alike = speeds(contents, X_test), {}, {}
    for name, content in contents.items():
        labels, probabilities = predicted(content, X_test)
        table[name] = (
            100 * np.mean(labels == y_test),
            len(content),
            len(zlib.compress(content, 9)),
            fast[name],
        )
        if name.startswith("Quantized"):
            differences = abs(probabilities - models[name].predict_proba(X_test))
            unlike = np.sum(labels != models[name].predict(X_test))
            alike[name] = unlike, differences.max()
    return table, alike


def section(name, kind, load, seeds):
    """Tables and verdicts of one network on one set."""
    results = [one_seed(kind, load(seed), seed) for seed in range(seeds)]
    tables = [table for table, _ in results]
    means = {m: np.mean([table[m] for table in tables], axis=0) for m in tables[0]}
    score, size, zipped, _ = means["dense"]
    print(f"## {name}\n")
    print_table(
        ["model", "accuracy, %", "points lost", "bytes", "zipped", "times faster"],
        [
            [model, m[0], score - m[0], m[1] / size, m[2] / zipped, m[3]]
            for model, m in means.items()
        ],
    )
    for model, (lost, faster, share) in FLOORS[kind].items():
        m = means[model]
        print(verdict(score - m[0] <= lost, f"{model}: at most {lost} points lost"))
        if faster is not None:
            print(verdict(m[3] >= faster, f"{model}: {faster:g} times faster"))
        if share is not None:
            print(verdict(m[1] <= share * size, f"{model}: {share:g} of the bytes"))
    unlike = sum(n for _, alike in results for n, _ in alike.values())
    largest = max(value for _, alike in results for _, value in alike.values())
    told = f"file against Python: {unlike} other labels, {largest:.2g} of probability"
    print(verdict(unlike == 0 and largest <= 2e-3, told))
    print(flush=True)


# Outliers among the training rows: their size, and how many rows and columns have one.
OUTLIERS = {
    "none": (1.0, 0, 0),
    "1e4 in one value": (1e4, 1, 1),
    "1e8 in one value": (1e8, 1, 1),
    "1e4 in .1 % of the rows, one column": (1e4, 0.001, 1),
    "1e4 in .1 % of the rows, all columns": (1e4, 0.001, None),
}
CALIBRATIONS = ("minmax", "percentile", "mse")


def with_outliers(X, size, rows, columns, seed):
    """A copy of flat rows in which some are outliers."""
    draw, X = np.random.default_rng(seed), X.copy()
    n_rows = rows if isinstance(rows, int) else round(rows * len(X))
    for row in draw.choice(len(X), n_rows, replace=False):
        signs = draw.choice([-1, 1], X.shape[1])
        X[row, :columns] = size * signs[:columns]
    return X


def outliers(seeds):
    """Table of what each calibration loses where some training rows are outliers."""
    print("## outliers, digits-MLP\n")
    table = []
    for name, how in OUTLIERS.items():
        scores = []
        for seed in range(seeds):
            X, X_test, y, y_test = digits(seed, images=False)
            X = with_outliers(X, *how, seed)
            net = MLPClassifier((128, 64), random_state=seed).fit(X, y)
            models = [
                Quantized(FrozenEstimator(net), calibration=c).fit(X, y)
                for c in CALIBRATIONS
            ]
            scores.append([100 * m.score(X_test, y_test) for m in (net, *models)])
        table.append([name, *np.mean(scores, axis=0)])
    print_table(["outliers", "dense", *CALIBRATIONS], table)
    for place, calibration in enumerate(CALIBRATIONS[1:], start=3):
        lost = max(row[1] - row[place] for row in table)
        print(verdict(lost <= 0.5, f"{calibration}: at most 0.5 points lost"))
    print(flush=True)


def main():
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of data sets, for Fashion-MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sections", nargs="*")
    args = parser.parse_args()
    sections = {
        f"digits-{kind}": (kind, lambda seed, i=kind == "CNN": digits(seed, i))
        for kind in NETWORKS
    }
    if args.data:
        for kind in NETWORKS:
            images = kind == "CNN"
            sections[f"fashion-{kind}"] = (
                kind,
                lambda seed, i=images: fashion(args.data, i),
            )
    print_versions(("onnxruntime", "torch-pruning"))
    if not find_spec("torch_pruning"):
        print("torch-pruning is not installed: its rows are left out.\n")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # of the quantizer: that it was not preprocessed
    with threadpool_limits(1):
        torch.set_num_threads(1)
        for name in args.sections or [*sections, "outliers"]:
            if name == "outliers":
                outliers(args.seeds)
            else:
                section(name, *sections[name], args.seeds)


if __name__ == "__main__":
    main()
