"""Requests and responses of inference over REST: JSON, and bytes behind it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep.serving.server._errors import BadRequestError
from sklearn_deep.serving.server._scope import Buffer
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._specs import TensorSpec
from sklearn_deep.serving.server._tensors import (
    array_of_bytes,
    array_of_json,
    bytes_of_array,
    check_shape,
    datatype_of,
    json_of_array,
)

HEADER = b"inference-header-content-length"
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class InferRequest:
    """Arrays for the graph, and what the client wants back.

    Parameters
    ----------
    feeds : dict of str to ndarray of shape (n_rows, ...)
    outputs : list of str, optional
        Names of the outputs; None is all of them.
    binary : dict of str to bool
        Whether an output comes as bytes, by name.
    binary_default : bool
        The same for outputs that are not in ``binary``.
    id : str, optional
    """

    feeds: dict[str, np.ndarray]
    outputs: list[str] | None
    binary: Mapping[str, bool]
    binary_default: bool
    id: str | None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.feeds.values())))


def parse_request(body: Buffer, header: int | None, served: Served) -> InferRequest:
    """Read a request.

    Parameters
    ----------
    body : bytes-like
    header : int or None
        Bytes of JSON at the beginning of the body; None where all is JSON.
    served : Served

    Raises
    ------
    BadRequestError
    """
    if header is not None and not 0 <= header <= len(body):
        raise BadRequestError(
            f"Inference-Header-Content-Length is {header}, and the body has {len(body)}"
            " bytes."
        )
    request = parse_json(bytes(body if header is None else body[:header]))
    binary = _Blobs(memoryview(body)[len(body) if header is None else header :])
    outputs, wanted = _requested(request.get("outputs"))
    identity = request.get("id")
    if identity is not None and not isinstance(identity, str):
        raise BadRequestError("The id of a request must be a string.")
    feeds = _feeds(request.get("inputs"), binary, served)
    binary.check_end()
    default = parameters_of(request).get("binary_data_output") is True
    return InferRequest(feeds, outputs, wanted, default, identity)


def parse_json(body: bytes) -> dict[str, Any]:
    """Parse the JSON object of a body.

    Raises
    ------
    BadRequestError
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):  # JSONDecodeError and UnicodeDecodeError too
        raise BadRequestError("The body is not valid JSON.") from None
    if not isinstance(request, dict):
        raise BadRequestError("The body must be a JSON object.")
    return request


def parameters_of(item: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a request or tensor."""
    found = item.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequestError("Parameters must be a JSON object.")
    if any(name.startswith("shared_memory") for name in found):
        raise BadRequestError("Shared memory is not supported; send the tensors.")
    return found


class _Blobs:
    """The bytes behind the JSON, taken tensor by tensor."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._offset = view, 0

    def take(self, name: str, size: Any) -> Buffer:
        end = self._offset + size if type(size) is int and size >= 0 else -1
        if not 0 <= end <= len(self._view):
            raise BadRequestError(
                f"The input {name!r} has a binary_data_size of {size!r:.40}, and"
                f" {len(self._view) - self._offset} bytes are left in the body."
            )
        start, self._offset = self._offset, end
        return self._view[start:end]

    def check_end(self) -> None:
        left = len(self._view) - self._offset
        if left:
            raise BadRequestError(f"The body has {left} bytes more than its tensors.")


def _feeds(items: Any, blobs: _Blobs, served: Served) -> dict[str, np.ndarray]:
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise BadRequestError("The body must have inputs, a list of objects.")
    return collect_feeds(
        served, ((item.get("name"), _Reader(item, blobs, served)) for item in items)
    )


def collect_feeds(served: Served, named: Any) -> dict[str, np.ndarray]:
    """Make the arrays of all inputs.

    Parameters
    ----------
    named : iterable of (str, callable)
        Names of the tensors of a request, and what makes an array of one for a spec.

    Raises
    ------
    BadRequestError
        For an unknown, doubled or missing input, and for different numbers of rows.
    """
    specs = served.inputs_by_name
    feeds: dict[str, np.ndarray] = {}
    for name, read in named:
        spec = specs.get(name) if isinstance(name, str) else None
        if spec is None or name in feeds:
            what = "that the model does not have" if spec is None else "twice"
            raise BadRequestError(f"The request has the input {name!r:.100} {what}.")
        feeds[name] = read(spec)
    missing = [name for name in specs if name not in feeds]
    if missing:
        raise BadRequestError(
            f"The request lacks the inputs {', '.join(map(repr, missing[:10]))}."
        )
    _check_rows(feeds)
    return feeds


def _check_rows(feeds: dict[str, np.ndarray]) -> None:
    counts = {len(array) for array in feeds.values()}
    if len(counts) > 1:
        raise BadRequestError(
            f"The inputs have different numbers of rows: {sorted(counts)[:5]}."
        )
    if counts == {0}:
        raise BadRequestError("The inputs have no rows; at least 1 is needed.")


@dataclass(frozen=True)
class _Reader:
    """Makes an array of a tensor in JSON, or of the bytes it refers to."""

    item: dict[str, Any]
    blobs: _Blobs
    served: Served

    def __call__(self, spec: TensorSpec) -> np.ndarray:
        item, parameters = self.item, parameters_of(self.item)
        shape = check_shape(spec, item.get("datatype"), item.get("shape"))
        if "binary_data_size" in parameters:
            blob = self.blobs.take(spec.name, parameters["binary_data_size"])
            return array_of_bytes(spec, shape, blob)
        missing = self.served.metadata["missing"]
        return array_of_json(spec, shape, item.get("data"), missing)


def _requested(items: Any) -> tuple[list[str] | None, dict[str, bool]]:
    """Names of the requested outputs, and which of them come as bytes."""
    if items is None or items == []:
        return None, {}
    valid = isinstance(items, list) and all(
        isinstance(i, dict) and isinstance(i.get("name"), str) for i in items
    )
    if not valid:
        raise BadRequestError("The outputs of a request must be objects with a name.")
    binary = {}
    for item in items:
        parameters = parameters_of(item)
        if parameters.get("classification"):
            raise BadRequestError("The classification of outputs is not supported.")
        if "binary_data" in parameters:
            binary[item["name"]] = parameters["binary_data"] is True
    return list(dict.fromkeys(item["name"] for item in items)), binary


def build_response(
    served: Served, request: InferRequest, computed: Mapping[str, np.ndarray]
) -> tuple[list[Buffer], int | None]:
    """Write a response.

    Returns
    -------
    parts : list of bytes-like
        The body.
    header : int or None
        Bytes of JSON at its beginning, if bytes follow it.
    """
    blobs: list[Buffer] = []
    outputs = []
    for name, array in computed.items():
        tensor: dict[str, Any] = {
            "name": name,
            "datatype": datatype_of(array),
            "shape": list(array.shape),
        }
        if request.binary.get(name, request.binary_default):
            blob = bytes_of_array(array)
            tensor["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            tensor["data"] = json_of_array(array)
        outputs.append(tensor)
    response: dict[str, Any] = {
        "model_name": served.name,
        "model_version": served.version,
        "outputs": outputs,
    }
    if request.id is not None:
        response["id"] = request.id
    text = _ENCODE(response).encode()
    return [text, *blobs], len(text) if blobs else None


def joined(parts: Sequence[Buffer]) -> bytes:
    """One body of its parts."""
    return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
