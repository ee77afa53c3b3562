"""The frame of every page, and its files."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from sklearn_deep.serving.page._html import Markup, joined, tag

# Nothing comes from elsewhere, nothing inline runs, nobody puts the page in a frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data: blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
FILES = {"page.css": "text/css", "page.js": "text/javascript"}


@cache
def file_content(name: str) -> bytes:
    """Content of one of ``FILES``."""
    return (Path(__file__).parent / name).read_bytes()


class Place(NamedTuple):
    """Where a page is, and who sees it.

    Attributes
    ----------
    root : str
        Relative address of ``/``, so that the page works behind a prefix.
    models : tuple of (str, str)
        Name and relative address of each model.
    signed_in : bool
        Whether the page is shown by a sign-in, which can be ended.
    """

    root: str
    models: tuple[tuple[str, str], ...] = ()
    signed_in: bool = False


def page(title: str, place: Place, *content: object, current: str = "") -> bytes:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href=f"{place.root}page/page.css"),
        tag("script", src=f"{place.root}page/page.js", defer=True),
    )
    body = tag(
        "body",
        tag("a", "Skip to the form", href="#main", class_="skip"),
        _header(place, current),
        tag("main", *content, id="main"),
    )
    whole = joined(Markup("<!doctype html>"), tag("html", head, body, lang="en"))
    return whole.encode("utf-8", "replace")


def _header(place: Place, current: str) -> Markup:
    links = [
        tag(
            "a",
            tag("bdi", name),
            href=address,
            aria_current="page" if name == current else None,
        )
        for name, address in place.models
    ]
    sign_out = tag(
        "form",
        tag("button", "Sign out", class_="quiet"),
        method="post",
        action=f"{place.root}page/sign-out",
    )
    return tag(
        "header",
        tag("a", "sklearn_deep", href=place.root or "./", class_="brand"),
        tag("nav", *links, aria_label="Models") if len(links) > 1 else None,
        sign_out if place.signed_in else None,
    )


def sign_in(place: Place, failed: bool) -> bytes:
    """The page that asks for the token."""
    fault = tag("p", "This is not the token of the server.", id="fault", class_="fault")
    form = tag(
        "form",
        tag("h1", "Sign in"),
        tag("p", "This server asks for a token. Its owner gives it out."),
        tag(
            "div",
            tag("label", "Token", for_="token"),
            _token_input(failed),
            fault if failed else None,
            class_="field",
        ),
        tag("button", "Sign in", class_="primary"),
        method="post",
        action=f"{place.root}page/sign-in",
        class_="card narrow",
    )
    return page("Sign in", place, form)


def _token_input(failed: bool) -> Markup:
    return tag(
        "input",
        id="token",
        name="token",
        type="password",
        autocomplete="current-password",
        required=True,
        autofocus=True,
        aria_invalid="true" if failed else None,
        aria_describedby="fault" if failed else None,
    )
