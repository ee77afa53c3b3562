"""Limits of requests, the token, TLS, counts and logs, and a graceful end."""

import datetime
import ipaddress
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server_requests import (
    binary_request,
    grpc_call,
    grpc_request,
    json_outputs,
    json_request,
    json_tensor,
)
from sklearn_deep.__main__ import main
from sklearn_deep.serving.server import _command
from sklearn_deep.serving.server._settings import Settings

ROOT = Path(__file__).parents[3]
ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]])
REQUEST = json_request(json_tensor("X", ROWS))


@pytest.fixture(scope="module")
def narrow(running_server, models):
    """A server with low limits."""
    flags = [
        "--max-body",
        "20000",
        "--max-rows",
        "50",
        "--timeout",
        "1",
        "--drain",
        "2",
    ]
    return running_server([models.path("plain")], *flags)


@pytest.fixture(scope="module")
def closed(running_server, models, tmp_path_factory):
    """A server with a token."""
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text("secret\n")
    flags = ["--token-file", token, "--grpc-port", 0]
    return running_server([models.path("plain")], *flags)


def test_it_listens_on_loopback(narrow):
    assert narrow.url.startswith("http://127.0.0.1:")


def test_too_many_rows_are_413(narrow):
    many = json_request(json_tensor("X", np.ones((51, 4))))
    answer = narrow.infer("plain", many)
    assert answer.status_code == 413
    assert "51 rows; 50 are allowed" in answer.json()["error"]


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_body_that_is_too_large_is_413(narrow, in_pieces):
    content = iter([b"x" * 10_000] * 3) if in_pieces else b"x" * 30_000
    answer = narrow.client.post("/v2/models/plain/infer", content=content)
    assert answer.status_code == 413
    assert "20000 bytes" in answer.json()["error"]


def connect(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


HEAD = b"POST /v2/models/plain/infer HTTP/1.1\r\nhost: a\r\n"


def test_a_body_that_does_not_come_is_408(narrow):
    with connect(narrow) as client:
        client.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        assert client.recv(1000).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("sent", [b"", b"GET /v2 HT", HEAD])
def test_a_head_that_does_not_come_ends_the_connection(narrow, sent):
    with connect(narrow) as client:
        client.sendall(sent)
        start = time.perf_counter()
        with suppress(ConnectionResetError):
            assert client.recv(1000) == b""
        assert time.perf_counter() - start < 5


def test_a_body_of_many_slow_pieces_is_408(narrow):
    with connect(narrow) as client:
        client.sendall(HEAD + b"content-length: 1000\r\n\r\n")
        client.settimeout(0.2)
        answer = b""
        for _ in range(30):
            client.sendall(b"x")
            with suppress(TimeoutError):
                answer = client.recv(1000)
                break
        assert answer.startswith(b"HTTP/1.1 408")


NO_HTTP = {
    "bytes": b"\xff" * 100 + b"\r\n\r\n",
    "a length of text": HEAD + b"content-length: x\r\n\r\n",
    "a negative length": HEAD + b"content-length: -1\r\n\r\n",
    "two lengths": HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
    "a huge head": HEAD + b"a: " + b"x" * 200_000 + b"\r\n\r\n",
    "chunks of text": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused(narrow, sent):
    with connect(narrow) as client:
        client.sendall(sent)
        answer = client.recv(1000)
        assert answer[9:10] == b"4"
        assert b"Traceback" not in answer
    assert narrow.infer("plain", REQUEST).status_code == 200


def test_a_compressed_body_is_415(narrow):
    headers = {"content-encoding": "gzip"}
    answer = narrow.client.post("/v2/models/plain/infer", content=b"x", headers=headers)
    assert answer.status_code == 415


def test_unknown_paths_and_methods_are_errors_in_json(narrow):
    for method, path, status in [("GET", "/nothing", 404), ("PUT", "/v2", 405)]:
        answer = narrow.client.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}


# The token


def test_requests_without_the_token_are_401_but_for_the_health(closed):
    assert closed.client.get("/v2/health/live").status_code == 200
    assert closed.client.get("/v2/health/ready").status_code == 200
    for path in ["/v2", "/v2/models/plain", "/metrics", "/openapi.json"]:
        assert closed.client.get(path).status_code == 401
    for given in ["Bearer other", "secret", "Basic secret", "Bearer secret2"]:
        headers = {"authorization": given}
        answer = closed.infer("plain", REQUEST, headers=headers)
        assert answer.status_code == 401
        assert "secret" not in answer.text
    headers = {"authorization": "Bearer secret"}
    assert closed.infer("plain", REQUEST, headers=headers).status_code == 200


def test_grpc_wants_the_token_too(closed):
    request = grpc_request("plain", [("X", "FP64", ROWS)])
    with grpc.insecure_channel(closed.grpc) as channel:
        assert grpc_call(channel, "ServerLive").live
        with pytest.raises(grpc.RpcError) as caught:
            grpc_call(channel, "ModelInfer", request)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        metadata = (("authorization", "Bearer secret"),)
        answer = grpc_call(channel, "ModelInfer", request, metadata=metadata)
        assert len(answer.outputs) == 2


def test_the_token_is_that_of_the_file_or_else_of_the_environment(
    monkeypatch, tmp_path
):
    assert _command._token(None) is None
    monkeypatch.setenv("SKLEARN_DEEP_TOKEN", "of the environment")
    assert _command._token(None) == "of the environment"
    (tmp_path / "token").write_text("of the file\n")
    assert _command._token(tmp_path / "token") == "of the file"
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ValueError, match="holds no token"):
        _command._token(tmp_path / "token")
    assert "of the file" not in repr(Settings(token="of the file"))


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Files of a certificate of 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(encoding))
    private = key.private_bytes(
        encoding,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(private)
    return folder


def test_both_protocols_run_over_tls(running_server, models, certificate):
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    flags = ["--tls-cert", cert, "--tls-key", key, "--grpc-port", 0]
    context = ssl.create_default_context(cafile=cert)
    server = running_server([models.path("plain")], *flags, verify=context)
    assert server.url.startswith("https://")
    assert server.infer("plain", REQUEST).status_code == 200
    credentials = grpc.ssl_channel_credentials(cert.read_bytes())
    with grpc.secure_channel(server.grpc, credentials) as channel:
        assert grpc_call(channel, "ServerLive").live


# Counts and logs


def test_requests_rows_times_queue_and_checksums_are_counted(running_server, models):
    server = running_server([models.path("plain")], "--grpc-port", 0)
    for _ in range(3):
        server.infer("plain", REQUEST)
    server.infer("none", REQUEST)
    with grpc.insecure_channel(server.grpc) as channel:
        grpc_call(channel, "ModelInfer", grpc_request("plain", [("X", "FP64", ROWS)]))
    lines = server.client.get("/metrics").text.splitlines()
    counts = dict(line.rsplit(" ", 1) for line in lines if line[0] != "#")

    def count(name, **labels):
        inside = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
        return float(counts[f"sklearn_deep_{name}{{{inside}}}"])

    http = {"protocol": "http", "model": "plain"}
    assert count("requests_total", **http, status=200) == 3
    assert count("requests_total", protocol="http", model="", status=404) == 1
    assert count("requests_total", protocol="grpc", model="plain", status=200) == 1
    assert count("request_seconds_count", **http) == 3
    assert count("rows_total", model="plain") == 8
    assert float(counts["sklearn_deep_queue"]) == 0
    checksum = server.client.get("/v2/models/plain").json()["parameters"]["sha256"]
    assert count("model_info", model="plain", sha256=checksum, version=1) == 1
    entries = [json.loads(line) for line in logged(server) if line.startswith("{")]
    assert [(e["protocol"], e["status"], e["rows"]) for e in entries[:5]] == [
        *[("http", 200, 2)] * 3,
        ("http", 404, None),
        ("grpc", 200, 2),
    ]
    assert entries[0]["path"] == "/v2/models/plain/infer"
    assert entries[0]["milliseconds"] > 0


def logged(server):
    time.sleep(0.6)
    return server.log.read_text().splitlines()


# More than the server can do, and its end


def big_request(n_rows):
    X = np.tile(ROWS, (n_rows // 2, 1))
    body, headers = binary_request(("X", "FP64", X), outputs=[{"name": "label"}])
    return {"content": body, "headers": headers}


def test_a_full_queue_is_429_and_the_others_are_answered(running_server, models):
    flags = ["--n-workers", 1, "--max-queue", 2]
    server = running_server([models.path("plain")], *flags)
    request = big_request(60_000)
    with ThreadPoolExecutor(16) as pool:
        answers = [
            pool.submit(server.client.post, "/v2/models/plain/infer", **request)
            for _ in range(16)
        ]
        found = [answer.result() for answer in answers]
    codes = {answer.status_code for answer in found}
    assert codes == {200, 429}
    assert all(a.headers["retry-after"] for a in found if a.status_code == 429)
    assert server.infer("plain", REQUEST).status_code == 200


def test_sigterm_lets_open_requests_end(running_server, models):
    server = running_server([models.path("plain")])
    done = []
    with connect(server) as slow:
        body = json.dumps(REQUEST).encode()
        slow.sendall(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body[:9])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        waiter = threading.Thread(target=lambda: done.append(server.process.wait(30)))
        waiter.start()
        time.sleep(0.8)
        assert not done
        slow.sendall(body[9:])
        answer = slow.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer.lower()
    waiter.join()
    assert done == [0]


@pytest.mark.slow
def test_a_client_that_waits_does_not_keep_the_server_alive(running_server, models):
    server = running_server([models.path("plain")], "--drain", 1)
    with connect(server) as slow:
        slow.sendall(HEAD + b"content-length: 100\r\n\r\n")
        start = time.perf_counter()
        assert server.stop() == 0
        assert time.perf_counter() - start < 6


@pytest.mark.slow
def test_a_log_that_nobody_reads_stops_neither_requests_nor_the_end(models):
    command = [sys.executable, "-m", "sklearn_deep", "serve", models.path("plain")]
    with subprocess.Popen(
        [*map(str, command), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # is full after about 400 lines
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            with httpx.Client(base_url=process.stdout.readline().split()[1]) as client:
                for _ in range(1500):
                    answer = client.post("/v2/models/plain/infer", json=REQUEST)
                    assert answer.status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


# What the process is


def test_serving_needs_neither_torch_nor_what_an_export_needs(models):
    code = (
        "import sys, threading\n"
        "from sklearn_deep.serving.server import _run\n"
        "from sklearn_deep.serving.server._repository import Repository\n"
        "from sklearn_deep.serving.server._settings import Settings\n"
        "import os, signal\n"
        "threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        f"repository = Repository([{str(models.path('plain'))!r}])\n"
        "_run.run(repository, Settings(port=0, grpc_port=0))\n"
        "heavy = 'torch skorch sklearn scipy pandas onnx skl2onnx matplotlib'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.splitlines()[-1] == "[]"


def test_files_that_cannot_be_served_end_the_command_with_the_reason(tmp_path, capsys):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    for path, message in [
        (bad, "not an ONNX model"),
        (tmp_path / "no.onnx", "No such"),
    ]:
        assert main(["serve", str(path)]) == 1
        assert message in capsys.readouterr().err


def test_a_port_in_use_ends_the_command_with_the_reason(narrow, models, capsys):
    port = narrow.url.rsplit(":", 1)[1]
    assert main(["serve", str(models.path("plain")), "--port", port]) == 1
    assert "in use" in capsys.readouterr().err


def test_an_unknown_command_lists_the_known_ones(capsys):
    assert main(["sing"]) == 2
    assert "serve" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "describe" in capsys.readouterr().out


def test_batches_give_each_request_its_own_rows(running_server, models):
    flags = ["--batch-window-ms", 20, "--batch-rows", 64]
    server = running_server([models.path("plain")], *flags)
    model, rng = models.fitted["plain"], np.random.default_rng(0)
    requests = [rng.normal(4, 2, (1 + k % 5, 4)) for k in range(60)]
    requests[7][0, 0] = np.nan  # is refused, and only this one
    with ThreadPoolExecutor(20) as pool:
        ask = lambda X: server.client.post(  # noqa: E731
            "/v2/models/plain/infer",
            **dict(
                zip(
                    ("content", "headers"),
                    binary_request(("X", "FP64", X)),
                    strict=True,
                )
            ),
        )
        answers = list(pool.map(ask, requests))
    assert answers.pop(7).status_code == 422
    del requests[7]
    for X, answer in zip(requests, answers, strict=True):
        found = json_outputs(answer)
        np.testing.assert_array_equal(found["label"], model.predict(X))
        expected = model.predict_proba(X)
        np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)
    text = httpx.get(server.url + "/metrics").text
    count = next(x for x in text.splitlines() if "batch_requests_count" in x)
    assert float(count.split()[1]) < 60
