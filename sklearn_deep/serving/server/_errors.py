"""Errors that a client is told of, each with its HTTP status.

.. code-block:: text

    RequestError
    ├── BadRequestError (400)        a request that cannot be read
    ├── UnauthorizedError (401)      no token, or another one
    ├── UnknownModelError (404)      no model of this name or version
    ├── SlowRequestError (408)       a body that does not come
    ├── TooLargeError (413)          more bytes or rows than are allowed
    ├── UnsupportedBodyError (415)   a body of another type or compression
    ├── RefusedRowsError (422)       rows that the exported estimator refuses
    ├── BusyError (429)              too many requests wait
    ├── BrokenModelError (500)       a model that does not compute what its file declares
    └── OverdueError (504)           a computation that takes too long
"""

from collections.abc import Mapping
from types import MappingProxyType


class RequestError(Exception):
    """A request that is not answered with a prediction; the message is for the client."""

    status = 500
    headers: Mapping[str, str] = MappingProxyType({})


class BadRequestError(RequestError):
    """A request that cannot be read."""

    status = 400


class UnauthorizedError(RequestError):
    """A request without the token."""

    status = 401
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class UnknownModelError(RequestError, LookupError):
    """No model has this name or version."""

    status = 404


class SlowRequestError(RequestError):
    """A body that does not arrive in time."""

    status = 408
    headers = MappingProxyType({"Connection": "close"})


class TooLargeError(RequestError):
    """More bytes or rows than the settings allow."""

    status = 413


class UnsupportedBodyError(RequestError):
    """A body of another type or compression."""

    status = 415


class RefusedRowsError(RequestError, ValueError):
    """Rows that the exported estimator refuses."""

    status = 422


class BusyError(RequestError):
    """Too many requests wait already."""

    status = 429
    headers = MappingProxyType({"Retry-After": "1"})


class BrokenModelError(RequestError):
    """A model that does not compute what its file declares."""

    status = 500


class OverdueError(RequestError):
    """A computation that takes longer than the settings allow."""

    status = 504
