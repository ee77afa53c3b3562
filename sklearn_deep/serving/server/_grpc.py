"""The Open Inference Protocol over gRPC: the same models, limits and counts as REST."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from sklearn_deep._version import __version__
from sklearn_deep.serving.server._access_log import AccessLog
from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._errors import (
    BadRequestError,
    RequestError,
    UnknownModelError,
)
from sklearn_deep.serving.server._gate import check_token
from sklearn_deep.serving.server._grpc_messages import (
    CONTENTS,
    MESSAGES,
    METHODS,
    SERVICE,
)
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._settings import Settings
from sklearn_deep.serving.server._specs import DTYPES, TensorSpec
from sklearn_deep.serving.server._tensors import (
    array_of_bytes,
    bytes_of_array,
    check_shape,
    datatype_of,
)
from sklearn_deep.serving.server._v2 import EXTENSIONS, PLATFORM
from sklearn_deep.serving.server._v2_messages import collect_feeds

LOGGER = logging.getLogger("sklearn_deep.serve")

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_OPEN_METHODS = ("ServerLive", "ServerReady")


def make_grpc_server(state: Any) -> tuple[grpc.aio.Server, int]:
    """Make a server from the state of the web application.

    Returns
    -------
    server : grpc.aio.Server
        Not started.
    port : int
        Port it listens on.
    """
    settings: Settings = state.settings
    limits = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
    server = grpc.aio.server(
        options=[
            *((name, settings.max_body) for name in limits),
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=settings.max_connections,
    )
    service = _Service(
        state.repository, settings, state.engine, state.access_log, state
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(SERVICE, service.handlers())]
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return server, _bind(server, f"{host}:{settings.grpc_port}", settings)


def _bind(server: grpc.aio.Server, address: str, settings: Settings) -> int:
    if settings.tls_cert is None or settings.tls_key is None:
        return server.add_insecure_port(address)
    pair = Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes()
    return server.add_secure_port(address, grpc.ssl_server_credentials([pair]))


@dataclass(frozen=True)
class _Service:
    """The methods of the protocol."""

    repository: Repository
    settings: Settings
    engine: Engine
    access_log: AccessLog
    state: Any

    def handlers(self) -> dict[str, Any]:
        """What gRPC calls, by method."""
        methods = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        return {name: self._handler(name, methods[name]) for name in METHODS}

    def _handler(self, name: str, function: Callable) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            start, status = time.perf_counter(), 200
            try:
                self._check_token(name, context)
                return await function(request)
            except RequestError as error:
                status = error.status
                await context.abort(
                    _CODES.get(status, grpc.StatusCode.INTERNAL), str(error)
                )
            except asyncio.CancelledError:  # the client has gone
                status = 499
                raise
            except Exception:  # of our own: logged, and no traceback leaves the server
                status = 500
                LOGGER.exception("%s failed", name)
                await context.abort(grpc.StatusCode.INTERNAL, "The server has failed.")
            finally:
                seconds = time.perf_counter() - start
                self._note(name, request, context, status, seconds)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=MESSAGES[f"{name}Request"].FromString,
            response_serializer=MESSAGES[f"{name}Response"].SerializeToString,
        )

    def _check_token(self, name: str, context: Any) -> None:
        token = self.settings.token
        if token is None or name in _OPEN_METHODS:
            return
        given = dict(context.invocation_metadata() or ()).get("authorization", "")
        check_token(given.encode() if isinstance(given, str) else given, token.encode())

    def _note(
        self,
        name: str,
        request: Any,
        context: Any,
        status: int,
        seconds: float,
    ) -> None:
        model = getattr(request, "model_name", getattr(request, "name", ""))
        self.engine.metrics.note_request("grpc", model, status, seconds)
        self.access_log.note(
            time=round(time.time(), 3),
            protocol="grpc",
            client=context.peer(),
            method=name,
            path=model,
            status=status,
            milliseconds=round(1000 * seconds, 3),
            rows=_n_rows(request),
        )

    async def _server_live(self, request: Any) -> Any:
        return MESSAGES["ServerLiveResponse"](live=True)

    async def _server_ready(self, request: Any) -> Any:
        return MESSAGES["ServerReadyResponse"](ready=not self.state.draining)

    async def _model_ready(self, request: Any) -> Any:
        try:
            self.repository.get(request.name, request.version)
        except UnknownModelError:  # clients take an error code for a failure
            return MESSAGES["ModelReadyResponse"](ready=False)
        return MESSAGES["ModelReadyResponse"](ready=True)

    async def _server_metadata(self, request: Any) -> Any:
        return MESSAGES["ServerMetadataResponse"](
            name="sklearn_deep", version=__version__, extensions=EXTENSIONS
        )

    async def _model_metadata(self, request: Any) -> Any:
        served = self.repository.get(request.name, request.version)
        return MESSAGES["ModelMetadataResponse"](
            name=served.name,
            versions=self.repository.versions(served.name),
            platform=PLATFORM,
            inputs=[MESSAGES["TensorMetadata"](**s.as_json()) for s in served.inputs],
            outputs=[MESSAGES["TensorMetadata"](**s.as_json()) for s in served.outputs],
        )

    async def _model_infer(self, request: Any) -> Any:
        served = self.repository.get(request.model_name, request.model_version)
        feeds = await self.engine.light(
            request.ByteSize(), lambda: _feeds(request, served)
        )
        names = [output.name for output in request.outputs] or None
        computed = await self.engine.infer(served, feeds, names)
        return _response(request, served, computed)


def _n_rows(request: Any) -> int | None:
    shapes = [tensor.shape for tensor in getattr(request, "inputs", ())]
    return shapes[0][0] if shapes and len(shapes[0]) else None


# Tensors


def _feeds(request: Any, served: Served) -> dict[str, np.ndarray]:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise BadRequestError(
            f"The request has {len(request.inputs)} inputs, and raw_input_contents of"
            f" {len(raw)}."
        )
    blobs = raw or [None] * len(request.inputs)
    readers = (
        _Reader(tensor, blob)
        for tensor, blob in zip(request.inputs, blobs, strict=True)
    )
    return collect_feeds(served, ((reader.tensor.name, reader) for reader in readers))


@dataclass(frozen=True)
class _Reader:
    """Makes an array of a tensor: of its bytes if there are any, or of its contents."""

    tensor: Any
    blob: bytes | None

    def __call__(self, spec: TensorSpec) -> np.ndarray:
        tensor = self.tensor
        shape = check_shape(spec, tensor.datatype, list(tensor.shape))
        _refuse_shared_memory(tensor.parameters)
        if self.blob is not None:
            return array_of_bytes(spec, shape, self.blob)
        return _array_of_contents(spec, shape, tensor.contents)


def _refuse_shared_memory(parameters: Mapping[str, Any]) -> None:
    if any(name.startswith("shared_memory") for name in parameters):
        raise BadRequestError("Shared memory is not supported; send the tensors.")


def _array_of_contents(
    spec: TensorSpec, shape: tuple[int, ...], contents: Any
) -> np.ndarray:
    field = CONTENTS.get(spec.datatype)
    if field is None:
        raise BadRequestError(f"Send {spec.datatype} in raw_input_contents.")
    values = getattr(contents, field)
    size = int(np.prod(shape, dtype=object))
    if len(values) != size:
        raise BadRequestError(
            f"The input {spec.name!r} has {len(values)} values in {field}; its shape"
            f" {list(shape)} takes {size}."
        )
    return _array_of_values(spec, values).reshape(shape)


# What values of a kind are read as, before they are compared with the datatype's range.
_WIDE = {"b": bool, "i": np.int64, "u": np.uint64, "f": np.float64}


def _array_of_values(spec: TensorSpec, values: Any) -> np.ndarray:
    dtype = DTYPES[spec.datatype]
    if dtype.kind == "O":
        return _decoded(spec, values)
    wide = np.fromiter(values, _WIDE[dtype.kind], len(values))
    found = wide.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(found, wide):
        raise BadRequestError(
            f"The input {spec.name!r} has numbers that do not fit into {spec.datatype}."
        )
    return found


def _decoded(spec: TensorSpec, values: Any) -> np.ndarray:
    out = np.empty(len(values), object)
    try:
        out[:] = [value.decode() for value in values]
    except UnicodeDecodeError:
        raise BadRequestError(
            f"The input {spec.name!r} has bytes that are not UTF-8."
        ) from None
    return out


def _response(request: Any, served: Served, computed: Mapping[str, np.ndarray]) -> Any:
    """The answer, in the form of the request: bytes for bytes, values for values."""
    response = MESSAGES["ModelInferResponse"](
        model_name=served.name, model_version=served.version, id=request.id
    )
    raw = bool(request.raw_input_contents)
    for name, array in computed.items():
        datatype = datatype_of(array)
        tensor = response.outputs.add(name=name, datatype=datatype, shape=array.shape)
        if raw or datatype not in CONTENTS:
            response.raw_output_contents.append(bytes(bytes_of_array(array)))
        else:
            values = array.ravel().tolist()
            if datatype == "BYTES":
                values = [str(value).encode() for value in values]
            getattr(tensor.contents, CONTENTS[datatype]).extend(values)
    return response
