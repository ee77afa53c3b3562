"""What the gate adds to the scope of a request, and types of ASGI."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Buffer = bytes | bytearray | memoryview
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Keys of a scope: the whole body, the headers by name, and the number of rows.
BODY = "sklearn_deep.body"
HEADERS = "sklearn_deep.headers"
ROWS = "sklearn_deep.rows"
