"""Compressed networks: what they lose, how small they are, how fast onnxruntime runs them.

    python benchmarks/compression.py [--data DIR] [--seeds 3] [--sections digits-MLP ...]

Digits come with scikit-learn; with ``--data`` also Fashion-MNIST with its official split.
Every compression starts from the same trained network. Scores and sizes are means over
seeds; speeds are ratios to the dense network, of batches of 1,024 rows in onnxruntime on
one thread, taken in turn. Beside them, where it is installed, torch-pruning on the same
network at the same share of units, with as much fine-tuning.
"""

import argparse
import copy
import time
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from _common import best_times, print_table, print_versions, verdict
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import sklearn_deep
from sklearn_deep import CNNClassifier, MLPClassifier, Pruned, Sliced, to_onnx
from sklearn_deep.compression._network import changed, fine_tuned
from sklearn_deep.estimators._data import FitArguments

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
    "Sliced .5": (0.5, 3.0, None),
    "Sliced .2": (1.5, 10.0, None),
    "Pruned .9": (1.0, None, None),
    "Quantized": (0.3, 2.0, 0.28),
    "Quantized(Sliced .5)": (1.0, 6.0, 0.15),
}


def compressions():
    """Each compression of a frozen network; those that there are."""
    found = {
        "Sliced .5": lambda net: Sliced(net, 0.5),
        "Sliced .2": lambda net: Sliced(net, 0.2, rounds=2),
        "Pruned .8": lambda net: Pruned(net, 0.8),
        "Pruned .9": lambda net: Pruned(net, 0.9),
        "Pruned .95, gradual": lambda net: Pruned(net, 0.95, schedule="gradual"),
    }
    if hasattr(sklearn_deep, "Quantized"):
        quantized = sklearn_deep.Quantized
        found["Quantized"] = quantized
        found["Quantized(Sliced .5)"] = lambda net: quantized(Sliced(net, 0.5))
    return found


def by_torch_pruning(network, X, y, keep):
    """The same network with units removed by torch-pruning, fine-tuned as ours."""
    import torch_pruning

    module = copy.deepcopy(network.module_)
    pruner = torch_pruning.pruner.MagnitudePruner(
        module,
        torch.from_numpy(X[:2]),
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=1 - keep,
        ignored_layers=[module.output],
    )
    pruner.step()
    sizes = tuple(block.layers[0].out_features for block in module.hidden)
    small = changed(
        network,
        module,
        {"hidden_layer_sizes": list(sizes)},
        hidden_layer_sizes=sizes,
    )
    rate = network.learning_rate_
    return fine_tuned(small, FitArguments(X, y), epochs=10, learning_rate=rate)


def session(content):
    """Open a file on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )


def speeds(contents, X):
    """Times faster than the first, of many rows at once."""
    rows = np.ascontiguousarray(X[np.arange(ROWS) % len(X)])
    runs = {}
    for name, content in contents.items():
        opened = session(content)
        feed = {opened.get_inputs()[0].name: rows}
        runs[name] = lambda opened=opened, feed=feed: opened.run(None, feed)
    seconds = best_times(runs, ROUNDS, clock=time.perf_counter)
    dense = next(iter(seconds.values()))
    return {name: dense / value for name, value in seconds.items()}


def one_seed(kind, data, seed):
    """Of every model: accuracy, bytes, bytes zipped, speed."""
    X, X_test, y, y_test = data
    network = NETWORKS[kind](seed).fit(X, y)
    models = {"dense": network}
    for name, compress in compressions().items():
        models[name] = compress(FrozenEstimator(network)).fit(X, y)
    if kind == "MLP" and find_spec("torch_pruning"):
        for keep in (0.5, 0.2):
            label = f"torch-pruning {keep:g}".replace("0.", ".")
            models[label] = by_torch_pruning(network, X, y, keep)
    contents = {name: to_onnx(m, X_test[:64]).to_bytes() for name, m in models.items()}
    fast = speeds(contents, X_test)
    return {
        name: (
            100 * model.score(X_test, y_test),
            len(contents[name]),
            len(zlib.compress(contents[name], 9)),
            fast[name],
        )
        for name, model in models.items()
    }


def section(name, kind, load, seeds):
    """Tables and verdicts of one network on one set."""
    results = [one_seed(kind, load(seed), seed) for seed in range(seeds)]
    means = {
        model: np.mean([result[model] for result in results], axis=0)
        for model in results[0]
    }
    score, size, *_ = means["dense"]
    print(f"## {name}\n")
    print_table(
        ["model", "accuracy, %", "points lost", "bytes", "zipped", "times faster"],
        [
            [model, m[0], score - m[0], m[1] / size, m[2] / size, m[3]]
            for model, m in means.items()
        ],
    )
    for model, (lost, faster, share) in FLOORS.items():
        if model not in means:
            continue
        m = means[model]
        print(verdict(score - m[0] <= lost, f"{model}: at most {lost} points lost"))
        if faster is not None:
            print(verdict(m[3] >= faster, f"{model}: {faster:g} times faster"))
        if share is not None:
            print(verdict(m[1] <= share * size, f"{model}: {share:g} of the bytes"))
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
    with threadpool_limits(1):
        torch.set_num_threads(1)
        for name in args.sections or sections:
            section(name, *sections[name], args.seeds)


if __name__ == "__main__":
    main()
