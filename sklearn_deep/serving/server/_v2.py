"""The REST routes of the Open Inference Protocol, version 2."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute

from sklearn_deep._version import __version__
from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._infer import infer
from sklearn_deep.serving.server._metrics import CONTENT_TYPE
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._v2_schema import INFER

PLATFORM = "onnxruntime_onnx"
EXTENSIONS = ("binary_tensor_data",)


class DirectRoute(APIRoute):
    """A route whose function takes the request and gives the response.

    FastAPI's own handler looks for parameters and validates the result; the hot path does
    without both.
    """

    def __init__(self, path: str, endpoint: Callable, **kwargs: Any) -> None:
        extra = kwargs.get("openapi_extra") or {}
        kwargs["openapi_extra"] = {"parameters": _path_parameters(path), **extra}
        super().__init__(path, endpoint, **kwargs)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        return self.endpoint


def _path_parameters(path: str) -> list[dict[str, Any]]:
    """Describe the parameters of a path."""
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


router = APIRouter(tags=["Open Inference Protocol"])
direct = APIRouter(tags=["Open Inference Protocol"], route_class=DirectRoute)


def repository_of(request: Request) -> Repository:
    """The models of the application."""
    return request.app.state.repository


def engine_of(request: Request) -> Engine:
    """What computes for the application."""
    return request.app.state.engine


@router.get("/v2/health/live")
async def live() -> dict[str, bool]:
    """Tell that the server runs."""
    return {"live": True}


@router.get("/v2/health/ready")
async def ready(request: Request, response: Response) -> dict[str, bool]:
    """Tell whether the server takes requests; 503 while it stops."""
    is_ready = not request.app.state.draining
    response.status_code = 200 if is_ready else 503
    return {"ready": is_ready}


@router.get("/v2")
async def server_metadata() -> dict[str, Any]:
    """Describe the server."""
    return {
        "name": "sklearn_deep",
        "version": __version__,
        "extensions": list(EXTENSIONS),
    }


@router.get("/v2/models/{name}")
async def model_metadata(request: Request, name: str) -> dict[str, Any]:
    """Describe a model: names, types and shapes of its tensors."""
    return _metadata(repository_of(request), name, None)


@router.get("/v2/models/{name}/versions/{version}")
async def version_metadata(request: Request, name: str, version: str) -> dict[str, Any]:
    """Describe a version of a model."""
    return _metadata(repository_of(request), name, version)


def _metadata(repository: Repository, name: str, version: str | None) -> dict[str, Any]:
    served = repository.get(name, version)
    return {
        "name": served.name,
        "versions": repository.versions(name),
        "platform": PLATFORM,
        "inputs": [spec.as_json() for spec in served.inputs],
        "outputs": [spec.as_json() for spec in served.outputs],
        "parameters": _described(served),
    }


def _described(served: Served) -> dict[str, Any]:
    metadata = served.metadata
    shown = ("estimator", "task", "feature_names_in", "classes", "missing")
    return {
        "version": served.version,
        "sha256": served.checksum,
        **{name: metadata[name] for name in shown},
    }


@router.get("/v2/models/{name}/ready")
async def model_ready(request: Request, name: str) -> dict[str, Any]:
    """Tell that a model can be asked; 404 if it does not exist."""
    return {"name": repository_of(request).get(name).name, "ready": True}


@router.get("/v2/models/{name}/versions/{version}/ready")
async def version_ready(request: Request, name: str, version: str) -> dict[str, Any]:
    """Tell that a version of a model can be asked; 404 if it does not exist."""
    return {"name": repository_of(request).get(name, version).name, "ready": True}


@direct.post("/v2/models/{name}/infer", openapi_extra=INFER)
@direct.post("/v2/models/{name}/versions/{version}/infer", openapi_extra=INFER)
async def infer_route(request: Request) -> Response:
    """Compute outputs from tensors, in JSON or in bytes behind the JSON."""
    path = request.path_params
    headers, body = await infer(
        request.app.state, request.scope, path["name"], path.get("version")
    )
    response = Response(body)
    response.raw_headers = headers
    return response


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Count requests and rows, and tell times, in Prometheus' format."""
    text = request.app.state.metrics.as_text()
    return Response(text, media_type=CONTENT_TYPE)
