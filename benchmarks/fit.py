"""Time of a fit against a hand-written torch loop, scikit-learn's MLP and skorch.

Same network, batches, epochs, optimizer (Adam, 1e-3) and dtype, one thread, CPU time.

    python benchmarks/fit.py [--dtype float64] [--rounds 5]
"""

import argparse
import warnings

import numpy as np
import torch
from _common import best_times, print_table, print_versions, verdict
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_deep import MLPClassifier

N_CLASSES = 10

# rows, columns, hidden layers, batch size, epochs
SHAPES = [
    (1800, 64, (100,), 200, 30),
    (1800, 64, (100,), 32, 10),
    (30000, 100, (128, 64), 256, 3),
    (20000, 100, (512, 512), 1024, 1),
]


def network(n_features, hidden, dtype):
    """The same layers for the two contestants that take a module."""
    layers, width = [], n_features
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, N_CLASSES)).to(dtype)


def hand_written(X, y, hidden, batch_size, epochs):
    """What one writes in torch without a framework."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    net = network(X.shape[1], hidden, X.dtype)
    optimizer = torch.optim.Adam(net.parameters())
    loss_of = nn.CrossEntropyLoss()
    for _ in range(epochs):
        order = torch.randperm(len(X))
        total = torch.zeros((), dtype=X.dtype)
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = loss_of(net(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)


def ours(X, y, hidden, batch_size, epochs):
    """sklearn_deep, with what the others do not do switched off."""
    MLPClassifier(
        hidden,
        activation="relu",
        dropout=0.0,
        optimizer="adam",
        weight_decay=0.0,
        learning_rate=1e-3,
        learning_rate_schedule="constant",
        batch_size=batch_size,
        max_epochs=epochs,
        n_iter_no_change=None,
        early_stopping=False,
        device="cpu",
    ).fit(X, y)


def sklearn_mlp(X, y, hidden, batch_size, epochs):
    """scikit-learn, without its L2 penalty."""
    SklearnMLP(
        hidden,
        alpha=0.0,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=10**6,
    ).fit(X, y)


def skorch(X, y, hidden, batch_size, epochs):
    """The library as it comes."""
    NeuralNetClassifier(
        network(X.shape[1], hidden, torch.float32),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=epochs,
        train_split=None,
        verbose=0,
    ).fit(X, y)


def measure(shape, dtype, rounds):
    """Ratios of our time to each other contestant's, for one shape."""
    n, d, hidden, batch_size, epochs = shape
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, d)).astype(dtype), rng.integers(0, N_CLASSES, n)
    contestants = {
        "hand-written": hand_written,
        "ours": ours,
        "scikit-learn": sklearn_mlp,
    }
    if dtype == "float32":  # stock skorch takes nothing else
        contestants["skorch"] = skorch
    runs = {
        name: lambda run=run: run(X, y, hidden, batch_size, epochs)
        for name, run in contestants.items()
    }
    times = best_times(runs, rounds)
    return {k: times["ours"] / v for k, v in times.items() if k != "ours"}


def main():
    """Print the table and the floors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    print_versions()
    with threadpool_limits(1):
        ratios = [measure(shape, args.dtype, args.rounds) for shape in SHAPES]
    names = list(ratios[0])
    print_table(
        [
            f"rows x columns, hidden, batch ({args.dtype})",
            *(f"ours / {n}" for n in names),
        ],
        [
            [f"{n} x {d}, {h}, {b}", *r.values()]
            for (n, d, h, b, _), r in zip(SHAPES, ratios, strict=True)
        ],
    )
    hand = [r["hand-written"] for r in ratios]
    peer = max(r["scikit-learn"] for r in ratios)
    print(verdict(max(hand) <= 1.15, "at most 1.15 times the hand-written loop"))
    print(verdict(hand[1] <= 0.6, "at most 0.6 of it at batch 32"))
    print(verdict(hand[0] <= 0.95, "at most 0.95 of it at batch 200"))
    print(verdict(peer < 1, "below scikit-learn on all shapes"))
    if "skorch" in names:
        small = max(r["skorch"] for r in ratios[:2])
        print(verdict(small <= 0.4, "at most 0.4 of skorch on the two small shapes"))


if __name__ == "__main__":
    main()
