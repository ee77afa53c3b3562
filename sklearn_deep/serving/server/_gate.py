"""What every HTTP request passes first: the token, the size of its body, its time."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sklearn_deep.serving.server._errors import (
    RequestError,
    SlowRequestError,
    TooLargeError,
    UnauthorizedError,
)
from sklearn_deep.serving.server._settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOGGER = logging.getLogger("sklearn_deep.serve")

# Where the whole body of a request is kept in its scope.
BODY = "sklearn_deep.body"
# What answers without a token: an orchestrator asks without knowing it.
OPEN_PATHS = frozenset({"/v2/health/live", "/v2/health/ready"})


class Gate:
    """An ASGI application around another one.

    It reads the whole body, which is bounded, and hands it on in one piece.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self._token = None if settings.token is None else settings.token.encode()

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            headers = dict(scope["headers"])
            self._check_token(scope["path"], headers)
            scope[BODY] = await self._read(headers, receive)
            await self.app(scope, _replay(scope[BODY], receive), noting_send)
        except RequestError as error:
            await send_error(send, error)
        except ClientGoneError:
            return
        except Exception:
            LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            if not started:
                await send_error(send, RequestError("The server has failed."))

    def _check_token(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self._token is None or path in OPEN_PATHS:
            return
        check_token(headers.get(b"authorization", b""), self._token)

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        length = headers.get(b"content-length")
        if length is None and b"transfer-encoding" not in headers:
            return b""
        limit = self.settings.max_body
        if length is not None and int(length) > limit:
            raise self._too_large()
        try:
            async with asyncio.timeout(self.settings.timeout):
                return await _collect(receive, limit, self._too_large)
        except TimeoutError:
            raise SlowRequestError("The body of the request did not arrive.") from None

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"The body has more than the allowed {self.settings.max_body} bytes."
        )


class ClientGoneError(Exception):
    """The client has closed the connection before its request was complete."""


def check_token(given: bytes, token: bytes) -> None:
    """Compare the value of an Authorization header, in constant time.

    Raises
    ------
    UnauthorizedError
    """
    if not hmac.compare_digest(given, b"Bearer " + token):
        raise UnauthorizedError("Send the token of this server: 'Bearer TOKEN'.")


async def _collect(
    receive: Receive, limit: int, too_large: Callable[[], TooLargeError]
) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large()
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
        (b"content-length", str(len(body)).encode()),
        *((k.lower().encode(), v.encode()) for k, v in error.headers.items()),
    ]
    await send(
        {"type": "http.response.start", "status": error.status, "headers": headers}
    )
    await send({"type": "http.response.body", "body": body})
