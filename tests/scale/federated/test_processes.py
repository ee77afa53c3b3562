"""Owners in processes of their own: Flower's SuperLink and SuperNodes on loopback."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import FederatedClassifier, MLPClassifier

ROOT = Path(__file__).parents[3]
SUPERLINK = shutil.which("flower-superlink", path=str(Path(sys.executable).parent))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SUPERLINK is None, reason="make test-federated has Flower"),
]

PROJECT = """
[project]
name = "digits-of-owners"
version = "1.0.0"
description = "Digits of several owners"
license = "BSD-3-Clause"
dependencies = []

[tool.flwr.app]
publisher = "sklearn-deep"

[tool.flwr.app.components]
serverapp = "digits.apps:server"
clientapp = "digits.apps:client"
"""

APPS = """
import json
import os
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_deep import MLPClassifier, client_app, server_app

FOLDER, OWNERS = Path({folder!r}), {owners}
network = MLPClassifier((16,), learning_rate=0.02, dropout=0.1, random_state=0)
pipe = make_pipeline(StandardScaler(), network)


def load(context):
    X, y = load_digits(return_X_y=True)
    number = context.node_config["partition-id"]
    with (FOLDER / f"asked_{{number}}").open("a") as asked:
        asked.write("x")
    return X[number::OWNERS], y[number::OWNERS]


def keep(result):
    weights = result.estimator[-1].module_.state_dict()
    arrays = {{name: value.tolist() for name, value in weights.items()}}
    text = json.dumps({{"weights": arrays, "rounds": result.rounds}})
    (FOLDER / "part").write_text(text)
    os.replace(FOLDER / "part", FOLDER / "result.json")


client = client_app(pipe, load)
server = server_app(
    pipe, then=keep, owners=OWNERS, rounds={rounds}, evaluate=False, timeout={timeout},
    random_state=0,
)
"""


class Flower:
    """A SuperLink and SuperNodes with one app; ended with all that they have started."""

    def __init__(self, folder, owners, rounds, timeout=300.0):
        self.folder, self.owners, self.processes = folder, owners, []
        self.port = free_port()
        app = folder / "app" / "digits"
        app.mkdir(parents=True)
        (app.parent / "pyproject.toml").write_text(PROJECT)
        (app / "__init__.py").touch()
        settings = {"owners": owners, "rounds": rounds, "timeout": timeout}
        (app / "apps.py").write_text(APPS.format(folder=str(folder), **settings))
        (folder / "config.toml").write_text(
            '[superlink]\ndefault = "here"\n\n[superlink.here]\n'
            f'address = "127.0.0.1:{self.port}"\ninsecure = true\n'
        )

    def __enter__(self):
        port = ["--port", str(self.port), "--disable-runtime-dependency-installation"]
        self.start("link", "flower-superlink", "--insecure", *port)
        self.wait(self.accepts, "the SuperLink to listen", 90)
        for k in range(self.owners):
            link = ["--superlink", f"127.0.0.1:{self.port}", "--port", str(free_port())]
            config = ["--node-config", f"partition-id={k}"]
            self.start(f"node_{k}", "flower-supernode", "--insecure", *link, *config)
        self.start("run", "flwr", "run", str(self.folder / "app"), "here", "--stream")
        return self

    def start(self, name, program, *arguments):
        environment = {
            **os.environ,
            "FLWR_HOME": str(self.folder),
            "FLWR_TELEMETRY_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
        }
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [Path(sys.executable).parent / program, *arguments],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it is ended with its children
            )
        self.processes.append(process)
        return process

    def accepts(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def wait(self, condition, what, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                logs = [p.read_text()[-2000:] for p in self.folder.glob("*.log")]
                raise AssertionError(
                    f"waited {seconds} s for {what}:\n" + "\n".join(logs)
                )
            time.sleep(0.1)

    def result(self, seconds=540):
        path = self.folder / "result.json"
        self.wait(path.exists, "the result", seconds)
        return json.loads(path.read_text())

    def kill_owner(self, k):
        end(self.processes[1 + k])

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end(process)


def end(process):
    """End a process and those that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_processes_train_the_network_of_the_simulation(tmp_path):
    with Flower(tmp_path, owners=2, rounds=2) as flower:
        result = flower.result()
    X, y = load_digits(return_X_y=True)
    network = MLPClassifier((16,), learning_rate=0.02, dropout=0.1, random_state=0)
    pipe = make_pipeline(StandardScaler(), network)
    model = FederatedClassifier(pipe, rounds=2, random_state=0)
    model.fit(X, y, groups=np.arange(len(X)) % 2)
    for name, value in model.estimator_[-1].module_.state_dict().items():
        assert_allclose(result["weights"][name], value.numpy(), rtol=0, atol=1e-12)
    assert [row["owners"] for row in result["rounds"]] == [[0, 1], [0, 1]]


def test_a_killed_owner_is_missed_by_no_one(tmp_path):
    asked = tmp_path / "asked_2"
    with Flower(tmp_path, owners=3, rounds=3, timeout=60.0) as flower:
        flower.wait(
            lambda: asked.exists() and len(asked.read_text()) > 1,
            "the first round",
            400,
        )
        flower.kill_owner(2)
        result = flower.result()
    assert result["rounds"][-1]["owners"] == [0, 1]
    assert len(result["rounds"]) == 3
