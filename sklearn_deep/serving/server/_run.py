"""Runs the servers until a signal comes, and lets open requests end."""

import asyncio
import logging
import signal
import socket
import sys
from contextlib import nullcontext
from typing import Any

import uvicorn

from sklearn_deep.serving.server._app import make_app
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._settings import Settings

LOGGER = logging.getLogger("sklearn_deep.serve")


def run(repository: Repository, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    The first line of stdout is the address.
    """
    asyncio.run(_serve(repository, settings))


async def _serve(repository: Repository, settings: Settings) -> None:
    app = make_app(repository, settings)
    listener = _listen(settings)
    server = uvicorn.Server(_config(app, settings))
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    serving = asyncio.create_task(server.serve([listener]))
    reloading = asyncio.create_task(_reload(repository, settings))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    print(f"serving {_address(listener, settings)}", flush=True)
    await stopped.wait()
    await _drain(app, server, serving)
    reloading.cancel()
    app.state.engine.close()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family)
    listener.setblocking(False)
    return listener


def _address(listener: socket.socket, settings: Settings) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=max(1, int(settings.drain)),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def _no_signals() -> Any:
    """Leave signals to us: uvicorn would raise them again at its end."""
    return nullcontext()


async def _reload(repository: Repository, settings: Settings) -> None:
    """Look at the files again and again, in a thread."""
    while settings.reload_seconds:
        await asyncio.sleep(settings.reload_seconds)
        try:
            await asyncio.to_thread(repository.reload)
        except Exception:
            LOGGER.exception("the files were not looked at")


async def _drain(app: Any, server: uvicorn.Server, serving: asyncio.Task) -> None:
    """Say that the server stops, and let open requests end."""
    app.state.draining = True
    server.should_exit = True
    await serving


def log_to_stderr() -> None:
    """Write what the server reports to stderr, a line each."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
