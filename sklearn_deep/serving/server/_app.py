"""The web application: every router, behind the gate."""

import sys

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sklearn_deep._version import __version__
from sklearn_deep.serving.server import _page, _rows, _v2, _variants
from sklearn_deep.serving.server._access_log import AccessLog
from sklearn_deep.serving.server._engine import Engine
from sklearn_deep.serving.server._errors import RequestError
from sklearn_deep.serving.server._gate import Gate
from sklearn_deep.serving.server._metrics import Metrics
from sklearn_deep.serving.server._openapi import install_schema
from sklearn_deep.serving.server._page_access import PageAccess
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._settings import Settings

ROUTERS = (
    _v2.router,
    _v2.direct,
    _rows.router,
    _rows.direct,
    _variants.router,
    _page.router,
)


def make_app(repository: Repository, settings: Settings) -> FastAPI:
    """Make the application.

    Its ``state`` has ``repository``, ``settings``, ``engine`` (an ``Engine``, which computes
    for requests), ``metrics``, ``access_log`` and ``draining``, True while the server stops.

    Parameters
    ----------
    repository : Repository
    settings : Settings
    """
    app = FastAPI(
        title="sklearn_deep", version=__version__, docs_url=None, redoc_url=None
    )
    app.state.repository, app.state.settings = repository, settings
    app.state.metrics = Metrics(repository)
    app.state.engine = Engine(settings, app.state.metrics)
    app.state.access_log = AccessLog(sys.stderr if settings.access_log else None)
    app.state.page_access = PageAccess(settings.token, secure=bool(settings.tls_cert))
    app.state.draining = False
    for router in ROUTERS:
        app.include_router(router)
    install_schema(app, repository, settings)
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)
    app.add_middleware(
        Gate,
        settings=settings,
        metrics=app.state.metrics,
        access_log=app.state.access_log,
        state=app.state,
    )
    return app


async def _of_request_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return _as_json(error.status, str(error), dict(error.headers))


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _as_json(error.status_code, str(error.detail), dict(error.headers or {}))


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _as_json(422, f"{where}: {first['msg']}", {})


_ANSWERS = {
    RequestError: _of_request_error,
    HTTPException: _of_http,
    RequestValidationError: _of_validation,
}


def _as_json(status: int, message: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)
