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
from sklearn_deep.serving.server._grpc import make_grpc_server
from sklearn_deep.serving.server._protocol import TimedProtocol
from sklearn_deep.serving.server._repository import Repository
from sklearn_deep.serving.server._settings import Settings

LOGGER = logging.getLogger("sklearn_deep.serve")

# Seconds in which clients learn, by "Connection: close", that they have to connect anew,
# before connections without a request are closed.
_NOTICE = 0.3

# Seconds without a request after which a connection is closed: more than proxies wait,
# since a request that is sent just then gets no answer.
_KEEP_ALIVE = 75

_BACKLOG = 2048  # connections that wait to be accepted


def run(repository: Repository, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    The first line of stdout is the address: ``serving http://127.0.0.1:8080``, and behind
    it ``grpc 127.0.0.1:8081`` where there is gRPC.
    """
    asyncio.run(_serve(repository, settings))


async def _serve(repository: Repository, settings: Settings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    listener = _listen(settings)
    app = make_app(repository, settings)
    server = _OurServer(_config(app, settings))
    line = f"serving {_address(listener, settings)}"
    rpc = None
    if settings.grpc_port is not None:
        rpc, port = make_grpc_server(app.state)
        await rpc.start()
        line += f" grpc {settings.host}:{port}"
    serving = asyncio.create_task(server.serve([listener]))
    reloading = asyncio.create_task(_reload(repository, settings))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    print(line, flush=True)
    await stopped.wait()
    reloading.cancel()
    await _drain(app, server, serving, rpc)


class _OurServer(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end."""

    def capture_signals(self) -> Any:
        return nullcontext()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends small responses at once only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError:
        listener.close()
        raise
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _address(listener: socket.socket, settings: Settings) -> str:
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    protocol = type("Protocol", (TimedProtocol,), {"seconds": settings.timeout})
    return uvicorn.Config(
        app,
        http=protocol,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        ws="none",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=max(1, round(settings.drain)),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


async def _reload(repository: Repository, settings: Settings) -> None:
    """Look at the files again and again, in a thread."""
    while settings.reload_seconds:
        await asyncio.sleep(settings.reload_seconds)
        try:
            await asyncio.to_thread(repository.reload)
        except Exception:  # a folder that is gone for now must not end the watch
            LOGGER.exception("the files were not looked at")


async def _drain(
    app: Any, server: uvicorn.Server, serving: asyncio.Task, rpc: Any
) -> None:
    """Say that the server stops, and let open requests end."""
    app.state.draining = True
    await asyncio.sleep(min(_NOTICE, app.state.settings.drain))
    server.should_exit = True
    stops = [serving]
    if rpc is not None:
        stops.append(asyncio.ensure_future(rpc.stop(app.state.settings.drain)))
    await asyncio.wait(stops, timeout=app.state.settings.drain + 2)
    app.state.engine.close()
    app.state.access_log.close()


def log_to_stderr() -> None:
    """Write what the server reports to stderr, a line each."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
