"""Markup: whatever is text is escaped, by construction."""

from html import escape

# Elements without an end tag.
_VOID = frozenset({"br", "input", "link", "meta"})


class Markup(str):
    """Text that is markup already; any other string is escaped."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Make an element.

    Parameters
    ----------
    name : str
    *children : str, Markup, number, None, or lists of these
        Strings that are not ``Markup`` are escaped; None is left out.
    **attributes : str, number, bool or None
        True gives an attribute without a value, None and False none. A trailing underscore
        is dropped, others become hyphens: ``class_``, ``aria_label``.
    """
    start = f"<{name}{''.join(_attribute(k, v) for k, v in attributes.items())}>"
    if name in _VOID:
        return Markup(start)
    return Markup(f"{start}{joined(*children)}</{name}>")


def _attribute(name: str, value: object) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def joined(*children: object) -> Markup:
    """Put markup and text together."""
    return Markup("".join(_markup(child) for child in children))


def _markup(child: object) -> str:
    if isinstance(child, Markup):
        return child
    if child is None:
        return ""
    if isinstance(child, (list, tuple)):
        return joined(*child)
    return escape(str(child))


def name_of(text: object) -> Markup:
    """A name from a file, which cannot change the direction of the text around it."""
    return tag("bdi", str(text))
