"""Inference over REST, without the way through the web framework.

The framework's search for a route takes longer than a small model. Its own route calls the
same function, and is what the schema describes.
"""

from typing import Any

import numpy as np

from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._errors import BadRequestError, UnsupportedBodyError
from sklearn_deep.serving.server._scope import BODY, HEADERS, ROWS, Scope
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._v2_messages import (
    HEADER,
    InferRequest,
    build_response,
    joined,
    parse_request,
)

# Addresses of arrays are multiples of it.
_ALIGNMENT = 8

Headers = list[tuple[bytes, bytes]]


def model_of(scope: Scope) -> tuple[str, str | None] | None:
    """Name and version of the model that a request asks; None for other requests."""
    if scope["method"] != "POST":
        return None
    match scope["path"].split("/"):
        case ["", "v2", "models", name, "infer"]:
            return name, None
        case ["", "v2", "models", name, "versions", version, "infer"]:
            return name, version
    return None


def padding(headers: dict[bytes, bytes]) -> int:
    """Bytes in front of a body that align the tensors behind its JSON.

    onnxruntime then reads them where they are: nothing is copied.
    """
    given = headers.get(HEADER, b"")
    return -int(given) % _ALIGNMENT if given.isdigit() and len(given) < 12 else 0


async def infer(
    state: Any, scope: Scope, name: str, version: str | None
) -> tuple[Headers, bytes]:
    """Compute outputs from tensors, in JSON or in bytes behind the JSON.

    Parameters
    ----------
    state : object
        That of the application, with ``repository`` and ``engine``.
    scope : dict
        With the body and the headers, from the gate.
    name, version : str

    Returns
    -------
    headers : list of pairs of bytes
    body : bytes
    """
    served = state.repository.get(name, version)
    engine: Engine = state.engine
    body, header = scope[BODY], _header_length(scope[HEADERS])
    asked = await engine.light(len(body), lambda: parse_request(body, header, served))
    scope[ROWS] = asked.n_rows
    computed = await engine.infer(served, asked.feeds, asked.outputs)
    size = sum(8 * array.size for array in computed.values())
    return await engine.light(size, lambda: _response(served, asked, computed))


def _response(
    served: Served, asked: InferRequest, computed: dict[str, np.ndarray]
) -> tuple[Headers, bytes]:
    parts, header = build_response(served, asked, computed)
    body = joined(parts)
    length = (b"content-length", b"%d" % len(body))
    if header is None:
        return [length, (b"content-type", b"application/json")], body
    return [
        length,
        (b"content-type", b"application/octet-stream"),
        (HEADER, b"%d" % header),
    ], body


def _header_length(headers: dict[bytes, bytes]) -> int | None:
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise UnsupportedBodyError("Send the body without compression.")
    given = headers.get(HEADER)
    if given is None:
        return None
    if not given.isdigit() or len(given) > 12:
        raise BadRequestError("Inference-Header-Content-Length must be a number.")
    return int(given)
