"""A server as a process of its own, on a port of loopback that the system chooses."""

import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import MLPClassifier, to_onnx

ROOT = Path(__file__).parents[3]


class Server:
    """A running server.

    Attributes
    ----------
    url : str
        Address of REST.
    grpc : str or None
        Host and port of gRPC, if it was started with ``--grpc-port``.
    client : httpx.Client
    process : subprocess.Popen
    log : Path
        What it has written to stderr.
    """

    def __init__(self, process, url, grpc, log, verify):
        self.process, self.url, self.grpc, self.log = process, url, grpc, log
        self.client = httpx.Client(base_url=url, timeout=30, verify=verify)

    def infer(self, model, body, **kwargs):
        """The response to a request in JSON."""
        return self.client.post(f"/v2/models/{model}/infer", json=body, **kwargs)

    def stop(self):
        """Send SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def start_server(folder, paths, *flags, port=0, env=None, verify=True):
    """Start a server; it is ended in any case."""
    log = Path(folder) / "stderr.txt"
    command = [sys.executable, "-m", "sklearn_deep", "serve", *map(str, paths)]
    command += ["--port", str(port), *map(str, flags)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    with log.open("a") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        )
    try:
        url, grpc = _addresses(_first_line(process, log))
        server = Server(process, url, grpc, log, verify)
        with server.client:
            yield server
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _addresses(line):
    """``serving http://127.0.0.1:8080 grpc 127.0.0.1:8081``."""
    words = line.split()
    assert words[0] == "serving"
    return words[1], words[3] if len(words) > 3 else None


def _first_line(process, log):
    lines = queue.Queue()
    reader = threading.Thread(
        target=lambda: lines.put(process.stdout.readline()), daemon=True
    )
    reader.start()
    try:
        line = lines.get(timeout=60)
    except queue.Empty:
        line = ""
    if not line:
        raise RuntimeError(f"the server did not start: {log.read_text()}")
    return line


@pytest.fixture(scope="module")
def running_server(tmp_path_factory):
    """A function ``(paths, *flags)`` that starts a server, which ends with the module."""
    started = []

    def start(paths, *flags, **kwargs):
        folder = tmp_path_factory.mktemp("server")
        context = start_server(folder, paths, *flags, **kwargs)
        server = context.__enter__()
        started.append(context)
        return server

    yield start
    for context in reversed(started):
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def flowers():
    """A frame of four numbers and a column of text with missing values; three labels."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X["garden"] = pd.Series(["north", "south", None] * 50, dtype=object)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.fixture(scope="session")
def models(tmp_path_factory, flowers):
    """Files of a pipeline over a frame, ``flowers``, and of one over an array, ``plain``.

    The fitted estimators are in ``models.fitted`` by name.
    """
    folder = tmp_path_factory.mktemp("models")
    X, y = flowers
    prepare = make_column_transformer(
        (StandardScaler(), list(X.columns[:4])),
        (OneHotEncoder(handle_unknown="ignore"), ["garden"]),
    )
    network = MLPClassifier((6,), max_epochs=3, random_state=0)
    framed = make_pipeline(prepare, clone(network)).fit(X, y)
    to_onnx(framed, X, folder / "flowers.onnx")
    numbers = X.iloc[:, :4].to_numpy()
    plain = make_pipeline(StandardScaler(), network).fit(numbers, load_iris().target)
    to_onnx(plain, numbers, folder / "plain.onnx")
    return Models(folder, {"flowers": framed, "plain": plain})


class Models:
    """A folder of files, and the estimators they were exported from."""

    def __init__(self, folder, fitted):
        self.folder, self.fitted = folder, fitted

    def path(self, name):
        return self.folder / f"{name}.onnx"
