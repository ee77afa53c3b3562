"""A model on a server of the Open Inference Protocol, asked over HTTP."""

import http.client
import json
import operator
import os
import random
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from sklearn_deep.exceptions import ServerError

_JSON_LENGTH = "Inference-Header-Content-Length"
_DTYPES = {
    "BOOL": np.dtype(bool),
    "UINT8": np.dtype(np.uint8),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_DATATYPES = {dtype.newbyteorder("="): name for name, dtype in _DTYPES.items()}

# What is asked again: too many requests, and a server that starts or stops.
_BUSY = (429, 503)
# Seconds before the first repetition; each one waits twice as long, up to the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 10.0
_MAX_ANSWER = 2**30  # bytes
_BLOCK = 2**20  # bytes that are read at once

# What reading an answer of another form raises.
_OTHER_FORM = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class _TryAgainError(Exception):
    """A request without an answer; a later one may have it."""

    def __init__(self, reason: str, status: int | None = None, wait: float = 0.0):
        super().__init__(reason)
        self.status, self.wait = status, wait


class RefusedByServerError(ValueError):
    """Rows that the server's half refuses."""


@dataclass(frozen=True)
class Remote:
    """A model at an address.

    Attributes
    ----------
    url : str
        Address of the model, ``http://HOST:PORT/v2/models/NAME``.
    token : str or None
        Sent as a bearer token.
    timeout : float
        Seconds of one request, from the connection to the last byte.
    retries : int
        Number of repetitions of a request that has no answer.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    retries: int = 3
    _idle: "_Idle" = field(default_factory=lambda: _Idle(), repr=False, compare=False)

    def infer(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        """Compute outputs from input arrays; predictions have no side effects.

        Raises
        ------
        ServerError
            If there is no complete answer after all repetitions, or another than asked
            for.
        RefusedByServerError
            For rows that the server's model refuses.
        """
        body, n_json = _request(inputs, outputs)
        headers = {
            "Content-Type": "application/octet-stream",
            _JSON_LENGTH: str(n_json),
        }
        answer = self._answer("POST", "/infer", body, headers)
        try:
            found = _arrays(answer)
            return [_with_rows(found[name], inputs) for name in outputs]
        except _OTHER_FORM as error:
            raise ServerError(
                f"{self.url} gave an answer that is not one of the Open Inference Protocol"
                f" to the request: {error}."
            ) from error

    def metadata(self) -> dict[str, Any]:
        """Describe the model: names, types and shapes of its tensors.

        Raises
        ------
        ServerError
        """
        try:
            described = json.loads(self._answer("GET", "", None, {}).body)
            return {"inputs": [i["name"] for i in described["inputs"]]}
        except _OTHER_FORM as error:
            raise ServerError(
                f"{self.url} does not describe a model of the Open Inference Protocol."
            ) from error

    def _answer(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> "_Answer":
        """The answer of the first try that has one."""
        if self.token is not None:
            headers = {**headers, "Authorization": f"Bearer {self.token}"}
        tries = 1 + self.retries
        for k in range(tries):
            try:
                return self._once(method, path, body, headers)
            except _TryAgainError as error:
                last = error
            if k + 1 < tries:
                time.sleep(_wait(k, last.wait))
        raise ServerError(
            f"{self.url} gave no complete answer in {tries} tries: {last}. Nothing was"
            " predicted. Is the server running, and is the address right?",
            last.status,
        ) from last

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> "_Answer":
        try:
            answer = self._on_any_connection(method, path, body, headers)
        except ssl.SSLCertVerificationError as error:
            raise ServerError(
                f"The certificate of {self.url} is not valid: {error}."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            what = str(error) or type(error).__name__
            raise _TryAgainError(f"{type(error).__name__}: {what}") from error
        self._check_status(answer)
        return answer

    def _on_any_connection(self, *request: Any) -> "_Answer":
        """The answer on an open connection, or else on a new one."""
        idle = self._idle.take()
        if idle is not None:
            with suppress(ConnectionError):  # a server closes idle ones
                return self._on(idle, *request)
        return self._on(self._new_connection(), *request)

    def _on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> "_Answer":
        end = time.monotonic() + self.timeout
        base = quote(urlsplit(self.url).path.rstrip("/"), safe="/%")
        try:
            connection.request(method, base + path, body, headers)
            answer, stays_open = _read(connection, end)
        except BaseException:
            connection.close()
            raise
        if stays_open:
            self._idle.give(connection)
        else:
            connection.close()
        return answer

    def _new_connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        kind = _KINDS[parts.scheme]
        return kind(parts.hostname or "", parts.port, timeout=self.timeout)

    def _check_status(self, answer: "_Answer") -> None:
        status, says = answer.status, answer.message()
        if status in _BUSY:
            raise _TryAgainError(f"status {status}, {says}", status, answer.wait())
        if status == 422:
            raise RefusedByServerError(says)
        if status != 200:
            raise ServerError(
                f"{self.url} answers with status {status}: {says}", status
            )


class _Idle:
    """Open connections without a request, of this process."""

    def __init__(self) -> None:
        self._connections: list[http.client.HTTPConnection] = []
        self._process = os.getpid()

    def take(self) -> http.client.HTTPConnection | None:
        """One of them, or None; no other thread gets it."""
        if os.getpid() != self._process:  # a fork shares the sockets
            self._connections, self._process = [], os.getpid()
        try:
            return self._connections.pop()
        except IndexError:
            return None

    def give(self, connection: http.client.HTTPConnection) -> None:
        """Let another request take a connection."""
        self._connections.append(connection)

    def __del__(self) -> None:
        """Close all."""
        for connection in self._connections:
            connection.close()


_KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


def is_model_url(url: Any) -> bool:
    """Tell whether a URL is the address of a model."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    name = parts.path.rstrip("/").partition("/v2/models/")[2]
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return bool(parts.scheme in _KINDS and parts.hostname and name) and is_plain


def _wait(k: int, asked: float) -> float:
    """Seconds before repetition ``k``: random, so that clients do not come back at once."""
    longest = min(_FIRST_WAIT * 2**k, _LONGEST_WAIT)
    # A generator of the system's: the global one belongs to the user.
    return max(
        random.SystemRandom().uniform(longest / 2, longest), min(asked, _LONGEST_WAIT)
    )


@dataclass(frozen=True)
class _Answer:
    """Status, headers and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def message(self) -> str:
        """What an error says."""
        try:
            found = json.loads(self.body)
            return str(found["error"] if "error" in found else found["detail"])[:500]
        except _OTHER_FORM:
            return http.client.responses.get(self.status, "an error")

    def wait(self) -> float:
        """Seconds that the server asks to wait."""
        given = self.headers.get("retry-after", "")
        return float(given) if _is_number(given) and len(given) < 6 else 0.0


def _read(connection: http.client.HTTPConnection, end: float) -> tuple[_Answer, bool]:
    """Read a whole response before ``end``; tell whether the connection stays open.

    Raises
    ------
    OSError, http.client.HTTPException
        If the connection ends before the response does, or if the time is over.
    """
    response = connection.getresponse()
    parts, size = [], 0
    while part := response.read1(_BLOCK):
        size += len(part)
        parts.append(part)
        if size > _MAX_ANSWER:
            raise OSError(f"the answer has more than {_MAX_ANSWER:,} bytes")
        if time.monotonic() > end:
            raise TimeoutError("the answer takes too long")
    headers = {name.lower(): value for name, value in response.getheaders()}
    _check_whole(headers, size)
    response.close()  # not the connection
    answer = _Answer(response.status, headers, b"".join(parts))
    return answer, not response.will_close


def _check_whole(headers: Mapping[str, str], size: int) -> None:
    """Raise if a response may have been cut off; http.client takes half a head for one."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return  # cut off, it would have been an error
    length = headers.get("content-length", "")
    if not _is_number(length):
        raise http.client.HTTPException("the answer does not say how long it is")
    if int(length) != size:
        raise http.client.IncompleteRead(b"", int(length) - size)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


# Tensors


def _request(
    inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
) -> tuple[bytes, int]:
    """Body of a request, and how many bytes of it are JSON."""
    tensors, blobs = [], []
    for name, array in inputs.items():
        blob = np.ascontiguousarray(array).tobytes()
        blobs.append(blob)
        tensors.append(
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": _DATATYPES[array.dtype],
                "parameters": {"binary_data_size": len(blob)},
            }
        )
    wanted = [{"name": n, "parameters": {"binary_data": True}} for n in outputs]
    text = json.dumps({"inputs": tensors, "outputs": wanted}).encode()
    return b"".join([text, *blobs]), len(text)


def _arrays(answer: _Answer) -> dict[str, np.ndarray]:
    """The outputs of an answer, each from bytes or from JSON.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError
        If the answer has another form.
    """
    given = answer.headers.get(_JSON_LENGTH.lower())
    n_json = len(answer.body) if given is None else int(given)
    if not 0 <= n_json <= len(answer.body):
        raise ValueError(f"{_JSON_LENGTH} is {n_json}")
    blobs = memoryview(answer.body)[n_json:]
    found = {}
    for tensor in json.loads(answer.body[:n_json])["outputs"]:
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        shape = [operator.index(n) for n in tensor["shape"]]
        if any(n < 0 for n in shape):
            raise ValueError(f"the output {tensor['name']!r} has the shape {shape}")
        if size is None:
            found[tensor["name"]] = _of_json(tensor, shape)
            continue
        if not 0 <= operator.index(size) <= len(blobs):
            raise ValueError(f"the output {tensor['name']!r} is cut off")
        found[tensor["name"]] = _of_bytes(tensor, shape, bytes(blobs[:size]))
        blobs = blobs[size:]
    return found


def _of_json(tensor: dict[str, Any], shape: Sequence[int]) -> np.ndarray:
    if tensor["datatype"] == "BYTES":
        strings = np.empty(len(tensor["data"]), object)
        strings[:] = [str(value) for value in tensor["data"]]
        return strings.reshape(shape)
    numbers = np.array(tensor["data"], _DTYPES[tensor["datatype"]])
    return numbers.reshape(shape)


def _of_bytes(tensor: dict[str, Any], shape: Sequence[int], blob: bytes) -> np.ndarray:
    if tensor["datatype"] == "BYTES":
        return _strings(blob, prod(shape)).reshape(shape)
    return np.frombuffer(blob, _DTYPES[tensor["datatype"]]).reshape(shape)


def _strings(blob: bytes, count: int) -> np.ndarray:
    """Strings, each after its length in four bytes."""
    found, offset = [], 0
    while offset < len(blob):
        start = offset + 4
        offset = start + int.from_bytes(blob[offset:start], "little")
        found.append(blob[start:offset].decode())
    if offset != len(blob) or len(found) != count:
        raise ValueError("strings are cut off")
    strings = np.empty(count, object)
    strings[:] = found
    return strings


def _with_rows(array: np.ndarray, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    n_rows = len(next(iter(inputs.values())))
    if array.ndim == 0 or len(array) != n_rows:
        raise ValueError(f"an output of shape {array.shape} for {n_rows} rows")
    return array
