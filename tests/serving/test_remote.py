"""A model on a server is asked over HTTP: whole answers, or an error of ours."""

import json
import pickle
import socket
import struct
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sklearn_deep.serving._remote as remote
from sklearn_deep import ServerError
from sklearn_deep.serving._remote import RefusedByServerError, Remote, is_model_url

ROWS = np.arange(6, dtype="float32").reshape(3, 2)
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(remote, "_FIRST_WAIT", 0.001)


ports = []  # of the connections that the requests came on


@contextmanager
def server(*answers, keeps_open=False):
    """Answers requests in turn, the last answer for ever; gives the URL and what came."""
    came = []
    ports.clear()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            came.append((self.command, self.path, dict(self.headers), body))
            ports.append(self.client_address[1])
            answers[min(len(came), len(answers)) - 1](self)
            self.close_connection = not keeps_open

        do_GET = do_POST = answer

        def log_message(self, *args):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.block_on_close = False  # a connection may still be open
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/v2/models/half", came
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def answering(body, status=200, **headers):
    """An answer of bytes or of JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def tensor(name, array, size=None):
    found = {"name": name, "datatype": "FP32", "shape": list(array.shape)}
    if size is None:
        return {**found, "data": array.ravel().tolist()}
    return {**found, "parameters": {"binary_data_size": size}}


def in_bytes(array=ROWS, strings=(b"a", b"bc", b"\xc3\xa9")):
    """Two outputs behind the JSON: numbers and strings."""
    blobs = [array.tobytes(), b"".join(struct.pack("<I", len(s)) + s for s in strings)]
    outputs = [
        tensor("p", array, len(blobs[0])),
        {
            "name": "label",
            "datatype": "BYTES",
            "shape": [len(strings)],
            "parameters": {"binary_data_size": len(blobs[1])},
        },
    ]
    text = json.dumps({"outputs": outputs}).encode()
    return text, b"".join([text, *blobs])


def in_json():
    return json.dumps({"outputs": [tensor("p", ROWS)]}).encode()


GOOD = answering(in_json())


def test_a_request_is_json_and_bytes_with_the_token():
    with server(GOOD) as (url, came):
        (p,) = Remote(url, "secret").infer({"cut": ROWS}, ["p"])
    np.testing.assert_array_equal(p, ROWS)
    ((method, path, headers, body),) = came
    assert (method, path) == ("POST", "/v2/models/half/infer")
    assert headers["Authorization"] == "Bearer secret"
    n_json = int(headers[LENGTH])
    asked = json.loads(body[:n_json])
    assert asked["inputs"][0]["name"] == "cut"
    assert body[n_json:] == ROWS.tobytes()
    assert asked["outputs"] == [{"name": "p", "parameters": {"binary_data": True}}]


def test_a_connection_is_used_again():
    with server(GOOD, keeps_open=True) as (url, came):
        asked = Remote(url)
        for _ in range(3):
            asked.infer({"cut": ROWS}, ["p"])
    assert len(came) == 3
    assert len(set(ports)) == 1


def good_then_gone(handler):
    GOOD(handler)
    handler.wfile.flush()
    hang_up(handler)


def test_a_connection_that_the_server_has_closed_is_replaced_without_a_repetition():
    with server(good_then_gone, keeps_open=True) as (url, came):
        asked = Remote(url, retries=0)
        for _ in range(3):
            asked.infer({"cut": ROWS}, ["p"])
            time.sleep(0.05)
    assert len(came) == 3
    assert len(set(ports)) == 3


def test_threads_do_not_share_a_connection():
    with server(GOOD, keeps_open=True) as (url, came):
        asked = Remote(url)
        results = []

        def ask():
            for _ in range(20):
                results.append(asked.infer({"cut": ROWS}, ["p"])[0])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == len(came) == 80
    assert all((p == ROWS).all() for p in results)
    assert len(set(ports)) <= 4


def test_answers_in_bytes_are_read():
    text, body = in_bytes()
    answer = answering(body, **{LENGTH: str(len(text))})
    with server(answer) as (url, _):
        p, labels = Remote(url).infer({"cut": ROWS}, ["p", "label"])
    np.testing.assert_array_equal(p, ROWS)
    assert labels.tolist() == ["a", "bc", "\u00e9"]


def cut_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"outputs": [')


def hang_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)


def half_a_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")


def no_http(handler):
    handler.wfile.write(b"\x00\x01\x02 what\r\n\r\n")


def no_length(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + in_json())


FAULTS = {
    "no length": no_length,
    "cut off": cut_off,
    "hang up": hang_up,
    "half a head": half_a_head,
    "no http": no_http,
    "429": answering({"error": "too many"}, 429),
    "503": answering({"error": "starting"}, 503, Retry_After="0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_request_without_an_answer_is_repeated(fault):
    with server(FAULTS[fault], FAULTS[fault], GOOD) as (url, came):
        (p,) = Remote(url).infer({"cut": ROWS}, ["p"])
    assert len(came) == 3
    np.testing.assert_array_equal(p, ROWS)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_any_answer_there_is_an_error_of_ours(fault):
    with server(FAULTS[fault]) as (url, came):
        with pytest.raises(ServerError, match="no complete answer in 3 tries") as info:
            Remote(url, retries=2).infer({"cut": ROWS}, ["p"])
    assert len(came) == 3
    assert info.value.status == (int(fault) if fault.isdigit() else None)
    assert "Nothing was predicted" in str(info.value)


def test_a_server_that_is_not_there_is_an_error_of_ours():
    with socket.socket() as taken:  # bound, and never listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v2/models/half"
        with pytest.raises(ServerError, match="ConnectionRefusedError"):
            Remote(url, retries=1).infer({"cut": ROWS}, ["p"])


def test_a_slow_answer_ends_with_the_time():
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b" ")
            time.sleep(0.02)

    with server(drip) as (url, _):
        start = time.monotonic()
        with pytest.raises(ServerError, match="TimeoutError"):
            Remote(url, timeout=0.2, retries=0).infer({"cut": ROWS}, ["p"])
    assert time.monotonic() - start < 3


def test_the_server_says_how_long_to_wait():
    busy = answering({"error": "busy"}, 429, Retry_After="1")
    with server(busy, GOOD) as (url, _):
        start = time.monotonic()
        Remote(url).infer({"cut": ROWS}, ["p"])
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("asked", ["soon", "-1", "1e9", "99999999999", "\u00b2"])
def test_another_wait_is_ignored(asked):
    answer = remote._Answer(429, {"retry-after": asked}, b"")
    assert answer.wait() == 0


def test_waits_grow_and_are_random():
    waits = [[remote._wait(k, 0.0) for _ in range(50)] for k in range(4)]
    assert len(set(waits[0])) > 1
    for k, some in enumerate(waits):
        assert 0.0005 * 2**k <= min(some) <= max(some) <= 0.001 * 2**k
    assert remote._wait(100, 0.0) <= 10
    assert remote._wait(0, 1e6) == 10


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 504])
def test_other_statuses_are_not_repeated(status):
    with server(answering({"error": "because"}, status)) as (url, came):
        with pytest.raises(ServerError, match=f"status {status}: because") as info:
            Remote(url).infer({"cut": ROWS}, ["p"])
    assert len(came) == 1
    assert info.value.status == status


def in_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for part in (in_json()[:20], in_json()[20:]):
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
    handler.wfile.write(b"0\r\n\r\n")


def cut_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(in_json()), in_json()))


def test_chunks_are_read_to_their_end():
    with server(cut_chunks, in_chunks) as (url, came):
        (p,) = Remote(url).infer({"cut": ROWS}, ["p"])
    assert len(came) == 2
    np.testing.assert_array_equal(p, ROWS)


def test_refused_rows_are_told_apart():
    with server(answering({"error": "refuses row 1"}, 422)) as (url, _):
        with pytest.raises(RefusedByServerError, match="refuses row 1"):
            Remote(url).infer({"cut": ROWS}, ["p"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b"\xff",
        b"[" * 100_000,
        {"outputs": 3},
        {"outputs": [3]},
        {"outputs": [{"name": "p"}]},
        {"outputs": [tensor("q", ROWS)]},
        {"outputs": [tensor("p", ROWS[:2])]},
        {"outputs": [{**tensor("p", ROWS), "shape": [3, 3]}]},
        {"outputs": [{**tensor("p", ROWS), "shape": []}]},
        {"outputs": [{**tensor("p", ROWS), "shape": [-1, 2]}]},
        {"outputs": [{**tensor("p", ROWS), "shape": [1e400, 2]}]},
        {"outputs": [{**tensor("p", ROWS), "datatype": "FP8"}]},
        {"outputs": [{**tensor("p", ROWS), "data": ["a"] * 6}]},
        {"outputs": [tensor("p", ROWS, 10**9)]},
        {"outputs": [tensor("p", ROWS, -1)]},
        {"outputs": [tensor("p", ROWS, "all")]},
    ],
)
def test_an_answer_of_another_form_is_an_error_of_ours(body):
    with server(answering(body)) as (url, _):
        with pytest.raises(ServerError, match="not one of the Open Inference Protocol"):
            Remote(url).infer({"cut": ROWS}, ["p"])


@given(data=st.data())
def test_damaged_answers_are_never_taken_for_whole_ones(data):
    text, body = in_bytes()
    cut = data.draw(st.integers(0, len(body) - 1))
    headers = {LENGTH.lower(): str(len(text))}
    answer = remote._Answer(200, headers, body[:cut])
    with pytest.raises(remote._OTHER_FORM):
        remote._arrays(answer)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_strings_are_decoded_or_refused(blob, count):
    try:
        found = remote._strings(blob, count)
    except ValueError:
        return
    assert len(found) == count
    again = b"".join(struct.pack("<I", len(s.encode())) + s.encode() for s in found)
    assert again == blob


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        ("http://127.0.0.1:8080/v2/models/iris", True),
        ("https://models.example/v2/models/iris/versions/2/", True),
        ("http://host/behind/a/proxy/v2/models/iris", True),
        ("http://[::1]:8080/v2/models/iris", True),
        ("http://127.0.0.1:8080", False),
        ("http://127.0.0.1:8080/v2/models/", False),
        ("ftp://127.0.0.1/v2/models/iris", False),
        ("http:///v2/models/iris", False),
        ("http://me:secret@127.0.0.1/v2/models/iris", False),
        ("http://127.0.0.1:99999/v2/models/iris", False),
        ("http://127.0.0.1/v2/models/iris?x=1", False),
        ("http://[::1/v2/models/iris", False),
        ("http://a/v2/models/iris\r\nHost: b", False),
        ("http://a/v2/models/my iris", False),
        (b"http://127.0.0.1/v2/models/iris", False),
        (None, False),
        (3, False),
    ],
)
def test_addresses_of_models(url, valid):
    assert is_model_url(url) == valid


def test_the_error_can_be_pickled_and_the_token_is_not_shown():
    error = pickle.loads(pickle.dumps(ServerError("no answer", 503)))
    assert (str(error), error.status) == ("no answer", 503)
    assert isinstance(error, ConnectionError)
    assert "secret" not in repr(Remote("http://a/v2/models/b", "secret"))
