"""Requests that are made to do harm, files exchanged and servers killed under load."""

import os
import shutil
import signal
import socket
import threading
import time

import grpc
import httpx
import numpy as np
import pytest
from sklearn.datasets import load_iris

from hostile_requests import hostile_grpc, hostile_http
from server_requests import (
    grpc_call,
    grpc_outputs,
    grpc_request,
    json_outputs,
    json_request,
    json_tensor,
)
from sklearn_deep import MLPClassifier, to_onnx

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]])
REQUEST = json_request(json_tensor("X", ROWS), id="a")
PATH = "/v2/models/plain/infer"
N_HOSTILE = [300, pytest.param(10_000, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def server(running_server, models):
    return running_server([models.path("plain")], "--grpc-port", 0, "--timeout", 2)


def answer_to(server, sent):
    """What comes back until the server closes, or the whole of a response."""
    host, port = server.url.removeprefix("http://").split(":")
    received = b""
    try:
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                received += part
    except (ConnectionResetError, BrokenPipeError):
        pass
    return received


@pytest.mark.parametrize("n", N_HOSTILE)
def test_no_hostile_request_makes_the_server_fail_or_answer_wrongly(server, models, n):
    rng, expected = np.random.default_rng(0), models.fitted["plain"].predict_proba(ROWS)
    codes = set()
    for k in range(n):
        answer = answer_to(server, hostile_http(rng, PATH, REQUEST, ROWS))
        codes.add(answer[9:12].decode())
        if k % 20 == 0:
            found = json_outputs(server.infer("plain", REQUEST))["probabilities"]
            np.testing.assert_allclose(found, expected, atol=1e-12)
    assert {"200", "400"} <= codes
    assert not any(code.startswith("5") for code in codes)
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("n", N_HOSTILE)
def test_no_hostile_message_makes_the_grpc_server_fail(server, models, n):
    rng, expected = np.random.default_rng(0), models.fitted["plain"].predict_proba(ROWS)
    request = grpc_request("plain", [("X", "FP64", ROWS)])
    codes = set()
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for k in range(n):
            try:
                call(hostile_grpc(rng, ROWS), timeout=10)
            except grpc.RpcError as error:
                codes.add((error.code().name, "has failed" in error.details()))
            if k % 20 == 0:
                found = grpc_outputs(grpc_call(channel, "ModelInfer", request))
                np.testing.assert_allclose(found["probabilities"], expected, atol=1e-12)
    assert ("INVALID_ARGUMENT", False) in codes
    assert not any(failed for _, failed in codes)
    assert {"DEADLINE_EXCEEDED", "UNAVAILABLE"}.isdisjoint({name for name, _ in codes})


# Load, while something happens


class Load:
    """Threads that ask without a pause; each answer has to be one of the expected ones.

    A request that gets no answer because the server is away is sent again, as clients do.
    """

    def __init__(self, url, answers, n_threads=4):
        self.url, self.answers = url, answers
        self.counts, self.wrong, self.repeated = [0] * len(answers), [], 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(n_threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def _ask(self):
        with httpx.Client(base_url=self.url, timeout=10) as client:
            while not self._stop.is_set():
                try:
                    self._check(client.post(PATH, json=REQUEST))
                except httpx.TransportError:
                    self.repeated += 1
                    time.sleep(0.02)

    def _check(self, answer):
        try:
            found = json_outputs(answer)["probabilities"]
        except AssertionError as error:
            self.wrong.append(str(error))
            return
        equal = [np.allclose(found, one, atol=1e-9) for one in self.answers]
        if sum(equal) == 1:
            self.counts[equal.index(True)] += 1
        else:
            self.wrong.append(found)


@pytest.fixture(scope="module")
def two_models(models, tmp_path_factory):
    """Files of two models of the same inputs, and what they say to ``ROWS``."""
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((5,), max_epochs=2, random_state=1).fit(X, y)
    path = tmp_path_factory.mktemp("two") / "other.onnx"
    to_onnx(model, X, path)
    plain = models.fitted["plain"]
    answers = [plain.predict_proba(ROWS), model.predict_proba(ROWS)]
    return [models.path("plain"), path], answers


@pytest.mark.parametrize("n", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_no_request_is_dropped_while_files_are_exchanged(
    running_server, two_models, tmp_path, n
):
    files, answers = two_models
    served = tmp_path / "plain.onnx"
    shutil.copy(files[0], served)
    server = running_server([tmp_path], "--reload-seconds", 0.1)
    with Load(server.url, answers) as load:
        for k in range(n):
            time.sleep(0.25)
            if k % 4 == 3:  # a file that is written slowly, and damaged for a while
                content = files[k % 2].read_bytes()
                served.write_bytes(content[: len(content) // 2])
                time.sleep(0.15)
                served.write_bytes(content)
            else:
                shutil.copy(files[k % 2], tmp_path / "new")
                os.replace(tmp_path / "new", served)
    assert load.wrong == []
    assert load.repeated == 0
    assert min(load.counts) > 0


@pytest.mark.parametrize(
    ("sent", "n"),
    [
        (signal.SIGTERM, 1),
        pytest.param(signal.SIGTERM, 10, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, 10, marks=pytest.mark.slow),
    ],
)
def test_a_killed_and_restarted_server_answers_nothing_wrong(
    running_server, two_models, sent, n
):
    files, answers = two_models
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = running_server(files[:1], "--port", port)
    with Load(server.url, answers[:1]) as load:
        for _ in range(n):
            time.sleep(0.5)
            before = load.counts[0]
            server.process.send_signal(sent)
            assert server.process.wait(30) == (0 if sent == signal.SIGTERM else -9)
            server = running_server(files[:1], "--port", port)
            time.sleep(0.3)
            assert load.counts[0] > before
    assert load.wrong == []
