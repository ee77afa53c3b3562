"""What every HTTP request passes first: the token, the size of its body, its time."""

import asyncio
import hmac
import json
import logging
import time
from typing import Any

from sklearn_deep.serving.server._access_log import AccessLog
from sklearn_deep.serving.server._errors import (
    BadRequestError,
    RequestError,
    SlowRequestError,
    TooLargeError,
    UnauthorizedError,
)
from sklearn_deep.serving.server._infer import infer, model_of, padding
from sklearn_deep.serving.server._metrics import Metrics
from sklearn_deep.serving.server._scope import (
    BODY,
    HEADERS,
    ROWS,
    Buffer,
    Message,
    Receive,
    Scope,
    Send,
)
from sklearn_deep.serving.server._settings import Settings

LOGGER = logging.getLogger("sklearn_deep.serve")

# What answers without a token: an orchestrator asks without knowing it.
OPEN_PATHS = frozenset({"/v2/health/live", "/v2/health/ready", "/"})
# The page, which lets those in who have signed in.
_PAGE = "/page/"


class Gate:
    """An ASGI application around another one.

    It reads the whole body, which is bounded, hands it on in one piece, counts the request
    and logs it.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    metrics : Metrics
    access_log : AccessLog
    state : object
        Its ``draining`` tells whether the server stops.
    """

    def __init__(
        self,
        app: Any,
        settings: Settings,
        metrics: Metrics,
        access_log: AccessLog,
        state: Any,
    ) -> None:
        self.app, self.settings, self.state = app, settings, state
        self._metrics, self._access_log = metrics, access_log
        self._token = None if settings.token is None else settings.token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.state.draining:
                    message["headers"] = [
                        *message["headers"],
                        (b"connection", b"close"),
                    ]
            await send(message)

        try:
            await self._answer(scope, receive, noting_send)
        except RequestError as error:
            await send_error(noting_send, error)
        except _ClientGoneError:
            status = 499
        except Exception:  # of our own: logged, and no traceback leaves the server
            LOGGER.exception("%s %r failed", scope["method"], scope["path"])
            if not status:
                await send_error(noting_send, RequestError("The server has failed."))
        finally:
            self._note(scope, status or 499, time.perf_counter() - start)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope[HEADERS] = dict(scope["headers"])
        path = scope["path"]
        is_open = path in OPEN_PATHS or path.startswith(_PAGE)
        if self._token is not None and not is_open:
            check_token(headers.get(b"authorization", b""), self._token)
        body = scope[BODY] = await self._read(headers, receive)
        model = model_of(scope)
        if model is None:
            await self.app(scope, _replay(bytes(body), receive), send)
        else:
            await send_response(send, 200, *await infer(self.state, scope, *model))

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> Buffer:
        length = headers.get(b"content-length")
        if length is None and b"transfer-encoding" not in headers:
            return b""
        if length is not None and not length.isdigit():
            raise BadRequestError("Content-Length must be a number.")
        if length is not None and int(length) > self.settings.max_body:
            raise self._too_large()
        return await self._collect(receive, padding(headers))

    async def _collect(self, receive: Receive, pad: int) -> Buffer:
        """The body, which mostly comes in one piece, behind some bytes that align it."""
        parts = [bytes(pad)] if pad else []
        size, more = 0, True
        end = time.monotonic() + self.settings.timeout
        while more:
            message = await _next(receive, end - time.monotonic())
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.settings.max_body:
                raise self._too_large()
            more = message.get("more_body", False)
        if len(parts) == 1:
            return parts[0]
        return memoryview(b"".join(parts))[pad:] if pad else b"".join(parts)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"The body has more than the allowed {self.settings.max_body} bytes."
        )

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        parts = path.split("/", 4)
        model = parts[3] if len(parts) > 3 and parts[2] == "models" else ""
        self._metrics.note_request("http", model, status, seconds)
        client = scope.get("client")
        self._access_log.note(
            time=round(time.time(), 3),
            protocol="http",
            client=client[0] if client else None,
            method=scope["method"],
            path=path,
            status=status,
            milliseconds=round(1000 * seconds, 3),
            bytes=len(scope.get(BODY, b"")),
            rows=scope.get(ROWS),
        )


class _ClientGoneError(Exception):
    """The client has closed the connection before its request was complete."""


def check_token(given: bytes, token: bytes) -> None:
    """Compare the value of an Authorization header, in constant time.

    Raises
    ------
    UnauthorizedError
    """
    if not hmac.compare_digest(given, b"Bearer " + token):
        raise UnauthorizedError("Send the token of this server: 'Bearer TOKEN'.")


async def _next(receive: Receive, seconds: float) -> Message:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            message = await receive()
    except TimeoutError:
        raise SlowRequestError("The body of the request did not arrive.") from None
    if message["type"] == "http.disconnect":
        raise _ClientGoneError
    return message


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receiver that gives the body again, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def send_error(send: Send, error: RequestError) -> None:
    """Answer with the message of an error."""
    body = json.dumps({"error": str(error)}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *((k.lower().encode(), v.encode()) for k, v in error.headers.items()),
    ]
    await send_response(send, error.status, headers, body)


async def send_response(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """Send a whole response."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
