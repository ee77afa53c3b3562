"""Convolutional networks on images: accuracy, the cost of a step, and augmentation.

    python benchmarks/images.py --data DIR [--sections cnn mlp ...] [--threads 2]

Fashion-MNIST and optdigits have their official splits. The default network and the
multilayer perceptron are as they come; the augmented network has settings that were
chosen on a validation part of the training rows. Hours on two cores in all: ``few`` is
the longest section.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from _common import print_table, print_versions, verdict
from _float64 import table
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_deep import (
    CNNClassifier,
    CutMix,
    Erasing,
    Flip,
    MLPClassifier,
    RandAugment,
)


def read(folder, name, file):
    """Arrays of a set: X_train, y_train, X_test, y_test."""
    with np.load(Path(folder) / name / file) as data:
        return [data[key] for key in ("X_train", "y_train", "X_test", "y_test")]


def fashion(folder):
    """Fashion-MNIST with its official split, as bytes."""
    return read(folder, "fashion_mnist", "fashion_mnist_60k.npz")


def score(net, X, y, X_test, y_test):
    """Accuracy, and what the fit took: seconds on the clock, epochs."""
    start = time.perf_counter()
    net.fit(X, y)
    seconds = time.perf_counter() - start
    return net.score(X_test, y_test), seconds, net.n_iter_


HEAD = ["set", "network", "accuracy", "seconds of training", "epochs", "published"]


def row(set_name, label, result, published):
    """A line of the table of accuracies, and its floor where there is one."""
    accuracy, seconds, epochs = result
    cells = [f"{accuracy:.4f}", f"{seconds:.0f}", epochs, published]
    print_table(HEAD, [[set_name, label, *cells]])


def cnn(args):
    """The default network on Fashion-MNIST."""
    result = score(CNNClassifier(random_state=args.seed), *fashion(args.data))
    row("Fashion-MNIST", "CNNClassifier()", result, ".925, two convolutions")
    print(verdict(result[0] >= 0.925, "Fashion-MNIST: defaults at .925"))


def augmented(args):
    """The same convolutions with flipped images, on all rows and for longer."""
    net = CNNClassifier(
        hidden_layer_sizes=(256,),
        dropout=0.4,
        label_smoothing=0.1,
        augmentation=Flip(),
        max_epochs=30,
        early_stopping=False,
        random_state=args.seed,
    )
    result = score(net, *fashion(args.data))
    label = "with Flip, 256 hidden units, dropout .4, label smoothing .1"
    row("Fashion-MNIST", label, result, ".934, two convolutions, augmented")
    print(verdict(result[0] >= 0.934, "Fashion-MNIST: augmented at .934"))


def flat(X):
    """Rows of a table of shares of the brightest pixel."""
    return X.reshape(len(X), -1).astype(np.float32) / X.max()


def mlp(args):
    """The default multilayer perceptron on the pixels."""
    X, y, X_test, y_test = fashion(args.data)
    net = MLPClassifier(random_state=args.seed)
    result = score(net, flat(X), y, flat(X_test), y_test)
    row("Fashion-MNIST", "MLPClassifier()", result, ".8833, 256-128-100")
    print(verdict(result[0] >= 0.883, "Fashion-MNIST: MLPClassifier at .883"))


def optdigits(args):
    """Digits of writers who are not in the training rows."""
    X, y, X_test, y_test = read(args.data, "optdigits", "optdigits.npz")
    X, X_test = X / np.float32(16), X_test / np.float32(16)
    result = score(CNNClassifier(random_state=args.seed), X, y, X_test, y_test)
    row("optdigits", "CNNClassifier()", result, ".98-.99, small CNN")
    print(verdict(result[0] >= 0.985, "optdigits: .985"))


# -- a step against a hand-written loop ------------------------------------------------

STEP_SHAPES = [(28, 128), (28, 32), (8, 64)]  # side of the images, rows of a step
STEPS = {28: 8, 8: 60}


def hand_written(X, y, batch_size, steps):
    """The default network and a loop, as one writes them in torch."""
    side = X.shape[1] // 4
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        nn.MaxPool2d(2),
        *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()),
        nn.MaxPool2d(2),
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64 * side * side, 128)),
        *(nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)),
    )
    X, y = torch.from_numpy(X)[:, None], torch.from_numpy(y).long()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    loss_of = nn.CrossEntropyLoss()
    net.train()
    order = torch.randperm(len(X))
    for start in range(0, steps * batch_size, batch_size):
        rows = order[start : start + batch_size]
        optimizer.zero_grad()
        loss = loss_of(net(X[rows]), y[rows])
        loss.backward()
        optimizer.step()


def step(args):
    """Time of an epoch over the loop's: the median of ratios taken in turn."""
    lines, worst = [], 0.0
    for side, batch_size in STEP_SHAPES:
        steps = STEPS[side]
        rng = np.random.default_rng(0)
        X = rng.random((steps * batch_size, side, side), dtype=np.float32)
        y = rng.integers(0, 10, len(X))
        net = CNNClassifier(
            batch_size=batch_size,
            max_epochs=1,
            early_stopping=False,
            learning_rate_schedule="constant",
            device="cpu",
        )
        ratios = []
        for _ in range(args.rounds):
            start = time.process_time()
            hand_written(X, y, batch_size, steps)
            middle = time.process_time()
            clone(net).fit(X, y)
            ratios.append((time.process_time() - middle) / (middle - start))
        median = float(np.median(ratios))
        worst = max(worst, median)
        lines.append([f"{side} x {side}, {batch_size}", median])
    print_table(["images, rows of a step (CPU time)", "ours / hand-written"], lines)
    print(verdict(worst <= 1.15, "a step at most 1.15 times the hand-written loop"))


def float64(args):
    """Float64 images at default threads against float32 on one."""
    table({"256 images 28 x 28": (256, 28, 28, 1)}, rounds=min(args.rounds, 3))


# -- few labelled rows -----------------------------------------------------------------

FOLDS = 2
# Augmented rows take long to learn by heart: with 400 epochs they gain over 200, and after
# 100 they are behind. Without augmentation 50 do as well as 200.
EPOCHS, PLAIN_EPOCHS = 400, (50, 200)

# Chosen on other training rows than those of the draws.
GRID = {
    "none": None,
    "Flip, RandAugment, Erasing, CutMix": [
        Flip(),
        RandAugment(),
        Erasing(0.5, area=(0.02, 0.2)),
        CutMix(),
    ],
}


def few(args):
    """Augmentation of 600 labelled rows, tuned by cross-validation on those alone."""
    X, y, X_test, y_test = fashion(args.data)
    with np.load(Path(args.data) / "fashion_mnist" / "labelled_idx.npz") as data:
        draws = data["labelled_idx_600"]
    lines, gains = [], []
    for i in args.draws:
        rows, labels = X[draws[i]], y[draws[i]]
        # Neither holding rows out nor a plateau of the loss ends these fits.
        net = CNNClassifier(
            batch_size=32,
            max_epochs=EPOCHS,
            early_stopping=False,
            n_iter_no_change=None,
            random_state=i,
        )
        plain = [
            clone(net).set_params(max_epochs=n).fit(rows, labels).score(X_test, y_test)
            for n in PLAIN_EPOCHS
        ]
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=i)
        grid = {"augmentation": list(GRID.values())}
        search = GridSearchCV(net, grid, cv=folds).fit(rows, labels)
        best = list(GRID)[search.best_index_]
        tuned = search.score(X_test, y_test)
        gains.append(tuned - max(plain))
        lines.append([i, *(f"{score:.4f}" for score in (*plain, tuned)), best])
        print(f"draw {i}:", *lines[-1][1:], flush=True)
    head = ["draw", *(f"none, {n} epochs" for n in PLAIN_EPOCHS), "tuned", "chosen"]
    print_table(head, lines)
    mean, spread = np.mean(gains), np.std(gains)
    floor = f"600 rows: tuned augmentation gains two points ({mean:.4f} ± {spread:.4f})"
    print(verdict(mean >= 0.02, floor))


SECTIONS = {
    "step": step,
    "float64": float64,
    "optdigits": optdigits,
    "mlp": mlp,
    "cnn": cnn,
    "augmented": augmented,
    "few": few,
}


def main():
    """Print each section's table and its floor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=".", help="folder of the data sets")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=[*SECTIONS])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--draws", nargs="+", type=int, default=[*range(5)], help="of 600 rows"
    )
    parser.add_argument("--rounds", type=int, default=9, help="of the timed steps")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print_versions()
    for name in args.sections:
        # CPU time of a step is of one thread.
        threads = 1 if name == "step" else args.threads
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            SECTIONS[name](args)


if __name__ == "__main__":
    main()
