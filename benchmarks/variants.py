"""One pipeline cut to what clients can carry: files for budgets, and halves.

    python benchmarks/variants.py [--data DIR] [--rows 10000] [--sections digits ...]

Digits come with scikit-learn; with ``--data`` also a CNN on Fashion-MNIST and a network for
tables on adult, each trained on ``--rows`` training rows. Scores are those of the files on
test rows that neither the fit nor the compression has seen. Times are of one row by one
thread. Of each cut: the bytes that cross for a row with and without rounding to 8 bits, and
the accuracy that rounding costs.
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import print_table, print_versions, verdict
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    SplitClassifier,
    TabularClassifier,
    split,
    split_report,
    variants,
)

# Budgets in bytes, as shares of the dense file.
SHARES = (1.0, 0.5, 0.25, 0.1)
# Accuracy that the best file within a share of the bytes may lose, in points, and that
# rounding to 8 bits may cost at any cut.
LOST, ROUNDED = 1.5, 1.0


def digits(folder, n_rows):
    """Digits, half of them for the test."""
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(
        X.astype(np.float32), y, test_size=0.5, stratify=y, random_state=0
    )
    model = make_pipeline(
        StandardScaler(), MLPClassifier((256, 128), max_epochs=30, random_state=0)
    )
    return model, *parts


def fashion(folder, n_rows):
    """Fashion-MNIST with its official test rows."""
    with np.load(folder / "fashion_mnist" / "fashion_mnist_60k.npz") as data:
        X, X_test, y, y_test = (
            data[key] for key in ("X_train", "X_test", "y_train", "y_test")
        )
    model = CNNClassifier(max_epochs=6, random_state=0)
    return model, X[:n_rows], X_test[:5000], y[:n_rows], y_test[:5000]


def adult(folder, n_rows):
    """The table with its published test rows."""
    meta = json.loads((folder / "adult" / "meta.json").read_text())
    train, test = (
        pd.read_csv(folder / "adult" / f"{name}.csv.gz") for name in ("train", "test")
    )
    target = meta["target"]
    model = TabularClassifier(random_state=0)
    rows, others = train[:n_rows], test[:5000]
    return (
        model,
        rows.drop(columns=target),
        others.drop(columns=target),
        rows[target].to_numpy(),
        others[target].to_numpy(),
    )


SECTIONS = {"digits": digits, "fashion": fashion, "adult": adult}


def show_variants(model, X, X_test, y, y_test):
    """Files of all variants, and what is chosen for each share of the dense bytes."""
    found = variants(
        model,
        X_test,
        y_test,
        X_train=X,
        y_train=y,
        bits=(8, 4),
        fine_tune_epochs=3,
        budgets={"score": -1.0},
    )
    columns = found.report.columns
    rows = [
        [
            name,
            f"{columns['onnx_bytes'][k]:,}",
            f"{columns['onnx_us_1'][k]:.0f}",
            f"{100 * columns['score'][k]:.2f}",
            "yes" if columns["front"][k] else "",
        ]
        for k, name in enumerate(found.report.names)
    ]
    print_table(["file", "bytes", "us a row", "accuracy, %", "on the front"], rows)
    print("\n".join(found.report.notes))
    show_choices(found.measured)


def show_choices(measured):
    """The best file for each share of the dense bytes."""
    from sklearn_deep.serving._variants import choose

    dense, rows = measured[0], []
    for share in SHARES:
        best = choose(measured, {"bytes": share * dense.bytes})
        name, score = (best.name, best.score) if best else ("none", np.nan)
        rows.append([f"{share:.0%}", name, f"{100 * score:.2f}"])
        if best:
            holds = 100 * (dense.score - score) <= LOST
            print(
                verdict(holds, f"{share:.0%} of the bytes: at most {LOST} points lost")
            )
    print()
    print_table(["of the dense bytes", "chosen", "accuracy, %"], rows)


def show_cuts(model, X_test, y_test):
    """Every cut, and the fastest one asked over loopback."""
    X, y = X_test[:2000], y_test[:2000]
    plain, rounded = (split_report(model, X, y, bits=bits) for bits in (None, 8))
    columns = plain.columns
    drops = 100 * rounded.columns["score_drop"]
    rows = [
        [
            name,
            int(columns["row_bytes"][k]),
            int(rounded.columns["row_bytes"][k]),
            f"{columns['client_bytes'][k]:,}",
            f"{columns['client_us'][k]:.0f}",
            f"{columns['server_us'][k]:.0f}",
            f"{drops[k]:.2f}",
        ]
        for k, name in enumerate(plain.names)
    ]
    print_table(
        [
            "cut after",
            "bytes a row",
            "of 8 bits",
            "bytes of the client",
            "client us",
            "server us",
            "points lost by 8 bits",
        ],
        rows,
    )
    print(verdict(drops.max() <= ROUNDED, f"8 bits: at most {ROUNDED} points lost"))
    over_loopback(model, X, y, plain.layers_[len(plain.layers_) // 2])


def over_loopback(model, X, y, at):
    """Predictions by both halves, the server's one in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        client, server = Path(folder) / "client.onnx", Path(folder) / "rest.onnx"
        split(model, X, at=at, bits=8, client_path=client, server_path=server)
        command = [sys.executable, "-m", "sklearn_deep", "serve", str(server)]
        process = subprocess.Popen(
            [*command, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            address = process.stdout.readline().split()[1]
            reader = SplitClassifier(client, f"{address}/v2/models/rest")
            score = reader.score(X, y)
            times = [timed(lambda: reader.predict(X[:1])) for _ in range(50)]
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
    print(
        f"- cut after {at}, 8 bits, over loopback: accuracy {100 * score:.2f} % (whole"
        f" {100 * model.score(X, y):.2f} %), {1e3 * np.median(times):.1f} ms a row"
    )


def timed(call):
    """Seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS)
    arguments = parser.parse_args()
    logging.getLogger("skorch").setLevel(logging.ERROR)
    print_versions(("onnxruntime",))
    chosen = arguments.sections or (SECTIONS if arguments.data else ["digits"])
    with threadpool_limits(1):
        for section in chosen:
            model, X, X_test, y, y_test = SECTIONS[section](
                arguments.data, arguments.rows
            )
            start = time.perf_counter()
            model.fit(X, y)
            print(f"## {section} ({time.perf_counter() - start:.0f} s of fit)\n")
            show_variants(model, X, X_test, y, y_test)
            show_cuts(model, X_test, y_test)


if __name__ == "__main__":
    main()
