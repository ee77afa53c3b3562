"""The REST routes of the Open Inference Protocol, version 2."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from sklearn_deep._version import __version__
from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._infer import infer
from sklearn_deep.serving.server._metrics import CONTENT_TYPE
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._served import Served

PLATFORM = "onnxruntime_onnx"
EXTENSIONS = ("binary_tensor_data",)


class DirectRoute(APIRoute):
    """A route whose function takes the request and gives the response.

    FastAPI's own handler looks for parameters and validates the result; the hot path does
    without both.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function itself."""
        return self.endpoint


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
@router.get("/v2/models/{name}/versions/{version}")
async def model_metadata(
    request: Request, name: str, version: str | None = None
) -> dict[str, Any]:
    """Describe a model: names, types and shapes of its tensors."""
    repository = repository_of(request)
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
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(
    request: Request, name: str, version: str | None = None
) -> dict[str, Any]:
    """Tell that a model can be asked; 404 if it does not exist."""
    served = repository_of(request).get(name, version)
    return {"name": served.name, "ready": True}


@direct.post("/v2/models/{name}/infer")
@direct.post("/v2/models/{name}/versions/{version}/infer")
async def infer_route(request: Request) -> Response:
    """Compute outputs from tensors, in JSON or in bytes behind the JSON."""
    path = request.path_params
    headers, body = await infer(
        request.app.state, request.scope, path["name"], path.get("version")
    )
    response = Response(body)
    response.raw_headers = headers
    return response


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Count requests and rows, and tell times, in Prometheus' format."""
    text = request.app.state.metrics.as_text()
    return Response(text, media_type=CONTENT_TYPE)
