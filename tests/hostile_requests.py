"""Requests that are damaged or made to do harm, drawn by a seed."""

import copy
import json

from server_requests import HEADER, binary_request, grpc_request

# Values that stand in the place of others.
VALUES = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0),
    *("", "NaN", "\ud800", "\x00", "x" * 5000, "../../etc/passwd", "{{7*7}}"),
    *([], {}, [[]], [None], [[1, [2]]], {"a": {}}, list(range(3000)), [[[[[[1]]]]]]),
    *(float("nan"), float("inf"), [float("nan")], "FP64", "BYTES", [1, 4], [-1, 4]),
]


def paths_in(value, path=()):
    """Where in a JSON value something can be exchanged."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from paths_in(inner, (*path, key))


def with_other_value(rng, request):
    """The request with some values exchanged, dropped or doubled."""
    request = copy.deepcopy(request)
    for _ in range(rng.integers(1, 4)):
        paths = [path for path in paths_in(request) if path]
        if not paths:
            break
        *inner, last = paths[rng.integers(len(paths))]
        holder = request
        for key in inner:
            holder = holder[key]
        kind = rng.integers(8)
        if kind == 0:
            del holder[last]
        elif kind == 1 and isinstance(holder, list):
            holder.insert(last, holder[last])
        else:
            holder[last] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return request


def damaged(rng, data):
    """Bytes with some changed, cut out, doubled or put in."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        at, size = int(rng.integers(len(data))), int(rng.integers(1, 40))
        kind = rng.integers(5)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size]
        elif kind == 3:
            data[at:at] = rng.bytes(size)
        else:
            del data[at:]
    return bytes(data)


def http(path, body, headers=()):
    """A request as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "host: a", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def hostile_http(rng, path, request, rows):
    """One request to an HTTP port."""
    kind = rng.integers(5)
    if kind == 0:
        return http(path, json.dumps(with_other_value(rng, request)).encode())
    if kind == 1:
        return http(path, damaged(rng, json.dumps(request).encode()))
    if kind == 2:
        return damaged(rng, http(path, json.dumps(request).encode()))
    body, headers = binary_request(("X", "FP64", rows))
    if kind == 3:
        size = int(headers[HEADER])
        head = json.dumps(with_other_value(rng, json.loads(body[:size]))).encode()
        return http(path, head + body[size:], {HEADER: len(head)})
    return http(path, damaged(rng, body), headers)


def hostile_grpc(rng, rows):
    """The bytes of one message."""
    raw = bool(rng.integers(2))
    request = grpc_request("plain", [("X", "FP64", rows)], raw)
    return damaged(rng, request.SerializeToString())
