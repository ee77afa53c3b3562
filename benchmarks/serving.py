"""The inference server beside a handler written by hand, and under full load for minutes.

A pipeline of a scaler and a network of 100 units over 64 columns, asked by 16 connections
that send the next request as soon as the former one is answered. Both servers run all the
time and are asked in turn; server and client have a core each.

    python benchmarks/serving.py [--rounds 5] [--seconds 5] [--minutes 10]
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from _common import print_table, print_versions, verdict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import MLPClassifier, to_onnx
from sklearn_deep.serving.server._grpc_messages import MESSAGES

HERE = Path(__file__).parent
CONNECTIONS = 16
PATH = "/v2/models/mlp/infer"
MANY = 100  # rows of a large request


def export(path):
    """A model whose speed is that of a trained one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 64)).astype(np.float32)
    network = MLPClassifier((100,), max_epochs=2, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(X, rng.integers(0, 10, 2000))
    to_onnx(model, X, path)


def write_bodies(folder):
    """Files of the requests: of REST and gRPC, with one row and with many."""
    for n_rows in (1, MANY):
        X = np.random.default_rng(1).normal(size=(n_rows, 64)).astype(np.float32)
        tensor = {"name": "X", "datatype": "FP32", "shape": X.shape}
        body = json.dumps({"inputs": [{**tensor, "data": X.ravel().tolist()}]})
        (folder / f"rest{n_rows}").write_text(body)
        request = MESSAGES["ModelInferRequest"](model_name="mlp")
        request.inputs.add(**tensor)
        request.raw_input_contents.append(X.tobytes())
        (folder / f"grpc{n_rows}").write_bytes(request.SerializeToString())


@contextmanager
def running(*command):
    """A server as a process; gives it and the words of its first line."""
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


def ours(model, *flags):
    command = ("-m", "sklearn_deep", "serve", model, "--port", 0, "--grpc-port", 0)
    return running(*command, *flags)


def start_load(words, body, seconds, connections=CONNECTIONS):
    """Begin to ask a server; ``finish`` gives the numbers."""
    is_grpc = body.name.startswith("grpc")
    target = ["--grpc", words[3], "mlp"] if is_grpc else [words[1][7:], PATH]
    command = [HERE / "_serving_load.py", *target, body, seconds, connections]
    return subprocess.Popen(
        [sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True
    )


def finish(load):
    out, _ = load.communicate()
    return json.loads(out)


def in_turn(contestants, rounds, seconds):
    """Numbers of each contestant in every round."""
    found = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (words, body) in contestants.items():
            found[name].append(finish(start_load(words, body, seconds)))
    return found


def ratio(found, name, to, key):
    """Median over the rounds of the ratio of two contestants, side by side."""
    pairs = zip(found[name], found[to], strict=True)
    return median(one[key] / other[key] for one, other in pairs)


def compare(folder, rounds, seconds):
    """Print throughput and times of each server, and the floors."""
    model = folder / "mlp.onnx"
    bare = running(HERE / "_serving_bare.py", model)
    with bare as (_, words), ours(model) as (_, our_words):
        found = in_turn(
            {
                "by hand": (words, folder / "rest1"),
                "REST": (our_words, folder / "rest1"),
                "gRPC": (our_words, folder / "grpc1"),
                f"by hand, {MANY} rows": (words, folder / f"rest{MANY}"),
                f"REST, {MANY} rows": (our_words, folder / f"rest{MANY}"),
                f"gRPC, {MANY} rows": (our_words, folder / f"grpc{MANY}"),
            },
            rounds,
            seconds,
        )
    rows = [
        [name, *(median(one[key] for one in all_) for key in ("rate", "p50", "p99"))]
        for name, all_ in found.items()
    ]
    print_table(["server", "requests/s", "p50, ms", "p99, ms"], rows)
    rate, p99 = (ratio(found, "REST", "by hand", key) for key in ("rate", "p99"))
    print(verdict(rate >= 0.9, f"REST: throughput of the handler, {rate:.2f} >= 0.9"))
    print(verdict(p99 <= 1.2, f"REST: p99 of the handler, {p99:.2f} <= 1.2"))
    many = ratio(found, f"gRPC, {MANY} rows", f"REST, {MANY} rows", "rate")
    print(verdict(many >= 1.5, f"gRPC: throughput of REST, {many:.2f} >= 1.5"))
    errors = sum(one["errors"] for all_ in found.values() for one in all_)
    print(verdict(errors == 0, f"{errors} wrong or failed answers"), flush=True)


def megabytes(process):
    """Memory that a process holds."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def endure(folder, minutes):
    """Full load over both protocols; memory has to stay where it was."""
    seconds, samples = 60 * minutes, []
    with ours(folder / "mlp.onnx", "--reload-seconds", 1) as (process, words):
        loads = [
            start_load(words, folder / name, seconds, CONNECTIONS // 2)
            for name in ("rest1", f"grpc{MANY}")
        ]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(5, seconds / 20))
            samples.append(megabytes(process))
        found = [finish(load) for load in loads]
        process.send_signal(signal.SIGTERM)
        status = process.wait(30)
    rows = [
        [name, one["requests"], one["errors"], one["p99"]]
        for name, one in zip(("REST, 1 row", f"gRPC, {MANY} rows"), found, strict=True)
    ]
    print_table(["under full load", "requests", "errors", "p99, ms"], rows)
    early, late = (
        median(part) for part in np.array_split(np.array(samples[2:]), 4)[::3]
    )
    print(f"memory: {early:.0f} MB in the first quarter, {late:.0f} MB in the last")
    errors = sum(one["errors"] for one in found)
    print(verdict(errors == 0, f"{errors} wrong or failed answers"))
    print(verdict(late <= 1.05 * early, "memory is steady within 5 %"))
    print(verdict(status == 0, "the server ends gracefully"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--minutes", type=float, default=0.5, help="0: no long load")
    given = parser.parse_args()
    print_versions(("fastapi", "uvicorn", "grpcio", "onnxruntime"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export(folder / "mlp.onnx")
        write_bodies(folder)
        if given.rounds:
            compare(folder, given.rounds, given.seconds)
        if given.minutes:
            endure(folder, given.minutes)


if __name__ == "__main__":
    main()
