"""Who may see the page where a token is set: those who have signed in with it.

A browser cannot send a bearer token when a person opens an address. The page asks for the
token once, and the browser keeps a cookie that is derived from a key of this process, is
not readable by scripts, is never sent from other sites, and opens nothing but the page.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from hashlib import sha256

from fastapi import Request, Response

COOKIE = "sklearn_deep_page"
_SECONDS = 12 * 3600


class PageAccess:
    """Decides whether a request may see the page.

    Parameters
    ----------
    token : str or None
        None lets everybody see it.
    secure : bool
        Whether the cookie is sent over TLS only.
    clock : callable
        Seconds since the epoch.
    """

    def __init__(
        self, token: str | None, secure: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._token = None if token is None else token.encode()
        self._secure, self._clock = secure, clock
        self._key = secrets.token_bytes(32)

    @property
    def is_open(self) -> bool:
        """Whether no token is needed."""
        return self._token is None

    def allows(self, request: Request) -> bool:
        """Tell whether a request has the token, or the cookie of a sign-in."""
        if self._token is None:
            return True
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        if hmac.compare_digest(given, b"Bearer " + self._token):
            return True
        return self._is_valid(request.cookies.get(COOKIE, ""))

    def is_token(self, given: str) -> bool:
        """Compare what was typed with the token, in constant time."""
        typed = given.strip().encode("utf-8", "replace")
        return self._token is not None and hmac.compare_digest(typed, self._token)

    def sign_in(self, response: Response) -> None:
        """Give the browser the cookie."""
        end = int(self._clock()) + _SECONDS
        response.set_cookie(
            COOKIE,
            f"{end}.{self._signature(end)}",
            max_age=_SECONDS,
            httponly=True,
            secure=self._secure,
            samesite="strict",
        )

    def sign_out(self, response: Response) -> None:
        """Take the cookie back."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")

    def _is_valid(self, cookie: str) -> bool:
        end, _, signature = cookie.partition(".")
        if not (end.isascii() and end.isdigit() and len(end) < 12):
            return False
        expected = self._signature(int(end)).encode()
        genuine = hmac.compare_digest(signature.encode("utf-8", "replace"), expected)
        return genuine and int(end) > self._clock()

    def _signature(self, end: int) -> str:
        return hmac.new(self._key, f"page {end}".encode(), sha256).hexdigest()
