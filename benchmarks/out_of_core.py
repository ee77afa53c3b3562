"""Fits of tables that are not in memory: peak memory, rows per second, scores.

Each fit runs in a process of its own, which reports its peak of memory, its seconds and its
score on rows that were never in the file.

    python benchmarks/out_of_core.py                # 300,000 rows, and a file of 1 GB
    python benchmarks/out_of_core.py --gb 10        # as in RESULTS.md
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _common import print_table, print_versions, verdict

COLUMNS, EPOCHS, BATCH, GROUPS, SHARE = 30, 5, 256, 15, 6
WIDE, WIDE_GROUP = 100, 25_000
SEEDS = range(3)


def make_rows(n, columns, seed):
    """Standard normal columns, and a class that follows from products of five of them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, columns), dtype=np.float32)
    signal = X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3] + X[:, 4]
    return X, (signal + rng.standard_normal(n, dtype=np.float32) > 0).astype(np.int64)


def table_of(X, y):
    """Columns of a table of pyarrow."""
    import pyarrow as pa

    columns = {f"x{j}": np.ascontiguousarray(column) for j, column in enumerate(X.T)}
    return pa.table({**columns, "y": y})


def write(path, X, y, group):
    """One Parquet file."""
    import pyarrow.parquet as pq

    pq.write_table(table_of(X, y), path, row_group_size=group, compression="none")


def write_big(path, gigabytes):
    """Write a file of this size, row group by row group; return its number of rows."""
    import pyarrow.parquet as pq

    n_groups = int(gigabytes * 1e9 / (WIDE * 4 + 8) / WIDE_GROUP)
    writer = None
    for k in range(n_groups):
        table = table_of(*make_rows(WIDE_GROUP, WIDE, 1_000 + k))
        writer = writer or pq.ParquetWriter(
            path, table.schema, compression="none", use_dictionary=False
        )
        writer.write_table(table)
    writer.close()
    return n_groups * WIDE_GROUP


def network(seed, **params):
    """The network of all contestants."""
    from sklearn_deep import MLPClassifier

    fixed = {"batch_size": BATCH, "max_epochs": EPOCHS, "early_stopping": False}
    return MLPClassifier((128, 64), random_state=seed, **{**fixed, **params})


def pipeline(seed, **params):
    """A scaler before it."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), network(seed, **params))


def in_memory(path, seed):
    """Read all rows and fit."""
    import pandas as pd

    frame = pd.read_parquet(path)
    return pipeline(seed).fit(frame.drop(columns="y"), frame["y"])


def chunked(path, seed, **params):
    """Fit from the file; the buffer holds a sixth of the rows."""
    import pyarrow.parquet as pq

    from sklearn_deep import ChunkedFit

    n = pq.ParquetFile(path).metadata.num_rows // SHARE
    return ChunkedFit(pipeline(seed), buffer_rows=n, **params).fit(path, "y")


def in_file_order(path, seed):
    """Fit in the order of the file."""
    import warnings

    warnings.simplefilter("ignore")
    return chunked(path, seed, shuffle=None)


def big(path, seed):
    """One epoch over the big file, with all else at its defaults."""
    from sklearn_deep import ChunkedFit

    net = pipeline(seed, max_epochs=1, batch_size=1024)
    return ChunkedFit(net).fit(path, "y")


def skorch_loader(path, seed):
    """The same network by skorch: an IterableDataset over row groups in random order."""
    import pyarrow.parquet as pq
    import torch
    from sklearn.base import BaseEstimator
    from skorch import NeuralNetClassifier
    from torch import nn

    class Groups(torch.utils.data.IterableDataset):
        def __iter__(self):
            file = pq.ParquetFile(path)
            for k in torch.randperm(file.num_row_groups).tolist():
                frame = file.read_row_group(k).to_pandas()
                X, y = frame.drop(columns="y").to_numpy(), frame["y"].to_numpy()
                for i in torch.randperm(len(y)).tolist():
                    yield X[i], y[i]

    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Linear(COLUMNS, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 2),
    )
    net = NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        max_epochs=EPOCHS,
        batch_size=BATCH,
        train_split=None,
        classes=[0, 1],
        verbose=0,
    )
    net.fit(Groups(), None)

    class Model(BaseEstimator):
        def score(self, X, y):
            return float(
                (net.predict(np.asarray(X, np.float32)) == np.asarray(y)).mean()
            )

    return Model()


def incremental(path, seed):
    """scikit-learn's MLP by ``partial_fit`` over row groups in order.

    As dask-ml's ``Incremental`` calls it.
    """
    import dask.dataframe as dd
    from dask_ml.wrappers import Incremental
    from sklearn.neural_network import MLPClassifier

    frame = dd.read_parquet(path, split_row_groups=True)
    X = frame.drop(columns="y").to_dask_array(lengths=True)
    y = frame["y"].to_dask_array(lengths=True)
    net = MLPClassifier((128, 64), batch_size=BATCH, random_state=seed)
    model = Incremental(net)
    for _ in range(EPOCHS):
        model.partial_fit(X, y, classes=[0, 1])
    return model


FITS = {
    fit.__name__: fit
    for fit in (in_memory, chunked, in_file_order, big, skorch_loader, incremental)
}
NEEDS = {"skorch_loader": "skorch", "incremental": "dask_ml"}


def run_one(name, path, seed, columns):
    """Fit, and print what it took."""
    import pandas as pd

    import sklearn_deep  # noqa: F401

    X, y = make_rows(50_000, columns, 99)
    start, cpu = time.perf_counter(), time.process_time()
    model = FITS[name](path, seed)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    X = pd.DataFrame(X, columns=[f"x{j}" for j in range(columns)])
    quality = getattr(model, "shuffle_quality_", {})
    told = [seconds, cpu, peak, model.score(X, y), quality]
    print(json.dumps(told))


def measured(name, path, seed, columns=COLUMNS):
    """What a process of its own reports: seconds, CPU seconds, MB, score, quality."""
    command = [sys.executable, __file__, "--one", name, str(path), str(seed)]
    done = subprocess.run(
        [*command, str(columns)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder, n_rows):
    """Fits of the same rows: in memory, and from files in random and in sorted order."""
    X, y = make_rows(n_rows, COLUMNS, 0)
    order = np.argsort(y, kind="stable")
    write(folder / "mixed.parquet", X, y, n_rows // GROUPS)
    write(folder / "sorted.parquet", X[order], y[order], n_rows // GROUPS)
    cases = {
        "in memory": ("in_memory", "mixed"),
        "ChunkedFit": ("chunked", "mixed"),
        "ChunkedFit, sorted by class": ("chunked", "sorted"),
        "in file order, sorted by class": ("in_file_order", "sorted"),
        "skorch, DataLoader": ("skorch_loader", "mixed"),
        "skorch, DataLoader, sorted by class": ("skorch_loader", "sorted"),
        "dask-ml, Incremental": ("incremental", "mixed"),
        "dask-ml, Incremental, sorted by class": ("incremental", "sorted"),
    }
    found = {}
    for label, (name, file) in cases.items():
        if name in NEEDS and find_spec(NEEDS[name]) is None:
            print(f"{label}: {NEEDS[name]} is not installed")
            continue
        path = folder / f"{file}.parquet"
        # Peers are slow: one seed.
        seeds = SEEDS if name in ("in_memory", "chunked") else SEEDS[:1]
        found[label] = [measured(name, path, seed) for seed in seeds]
    show(found, n_rows)


def show(found, n_rows):
    """Print the table and the floors."""
    rows, speeds, scores = [], {}, {}
    for label, runs in found.items():
        _, cpu, peak, score, quality = zip(*runs, strict=True)
        speeds[label] = n_rows * EPOCHS / min(cpu)
        scores[label] = np.array(score)
        on_y = f"{quality[0]['y']:.3f}" if quality[0] else ""
        rows.append(
            [
                label,
                f"{speeds[label]:,.0f}",
                f"{min(peak):.0f}",
                f"{np.mean(score):.4f}",
                on_y,
            ]
        )
    head = ["", "rows a CPU second", "peak, MB", "accuracy", "shuffle_quality_ on y"]
    print_table(head, rows)
    memory, ours = scores["in memory"], scores["ChunkedFit"]
    of_test = np.sqrt(memory.mean() * (1 - memory.mean()) / 50_000)
    error = max(of_test, (ours - memory).std(ddof=1) / np.sqrt(len(ours)))
    gap = abs(ours.mean() - memory.mean())
    lost = ours.mean() - scores["ChunkedFit, sorted by class"].mean()
    ratio = speeds["ChunkedFit"] / speeds["in memory"]
    print(verdict(ratio >= 0.7, f"0.7 of the rows per second in memory ({ratio:.2f})"))
    print(verdict(gap <= error, f"score within one standard error ({gap:.4f})"))
    print(verdict(lost <= 0.01, f"sorted on disk within .01 ({lost:.4f})"))


def one_big_file(folder, gigabytes):
    """Peak memory of one epoch over a file that is larger than memory should be."""
    path = folder / "big.parquet"
    n_rows = write_big(path, gigabytes)
    size = path.stat().st_size / 1e9
    seconds, cpu, peak, score, quality = measured("big", path, 0, WIDE)
    head = [
        "file, GB",
        "rows",
        "peak, MB",
        "seconds",
        "CPU seconds",
        "accuracy",
        "on y",
    ]
    row = [size, f"{n_rows:,}", f"{peak:.0f}", f"{seconds:.0f}", f"{cpu:.0f}"]
    print_table(head, [[*row, f"{score:.4f}", f"{quality['y']:.3f}"]])
    print(verdict(peak <= 1_000, "a peak of at most 1 GB, libraries included"))


def main():
    """Run the comparison, then the big file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=1.0, help="size of the big file")
    parser.add_argument("--rows", type=int, default=300_000, help="rows compared")
    parser.add_argument("--folder", help="where files are written for a while")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        name, path, seed, columns = given.one
        run_one(name, path, int(seed), int(columns))
        return
    print_versions(("pyarrow", "pandas", "dask-ml"))
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        if given.rows:
            compare(folder, given.rows)
        if given.gb:
            one_big_file(folder, given.gb)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
