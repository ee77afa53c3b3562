"""What a page tells of its model, and how programs ask it."""

import json
from collections.abc import Sequence
from typing import Any

from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.page._html import Markup, name_of, tag

_TASKS = {
    "classifier": "predicts a label",
    "regressor": "predicts a number",
    "transformer": "transforms rows",
    "several": "predicts several targets",
}
_MAX_CLASSES = 12
_MAX_SAMPLE = 6  # columns


def about_card(
    metadata: dict[str, Any], checksum: str, address: str, needs_token: bool
) -> Markup:
    """The model, what it was compared on, and a request for it."""
    facts = [
        ("Model", metadata["estimator"]),
        ("Answers", _answers(metadata)),
        ("Compared", _compared(metadata["receipt"])),
        ("Exported by", f"sklearn_deep {metadata['package_version']}"),
        ("SHA-256", f"{checksum[:16]}..."),
    ]
    listed = [
        [tag("dt", name), tag("dd", name_of(text))] for name, text in facts if text
    ]
    request = tag(
        "details",
        tag("summary", "Ask it from a program"),
        tag(
            "pre",
            tag("code", sample_request(metadata, address, needs_token)),
            tabindex="0",
        ),
    )
    return tag(
        "section", tag("h2", "About"), tag("dl", listed), request, class_="card about"
    )


def title_of(metadata: dict[str, Any]) -> str:
    """What the model does, in a few words."""
    return f"{metadata['estimator']}: {_TASKS[metadata['task']]}"


def _answers(metadata: dict[str, Any]) -> str:
    if metadata["task"] == "several":
        return _some([task["name"] for task in metadata["tasks"]])
    classes = metadata["classes"]
    if isinstance(classes, dict):
        return _some(classes["values"])
    return ""


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:_MAX_CLASSES])
    left = len(names) - _MAX_CLASSES
    return f"{shown} and {left} more" if left > 0 else shown


def _compared(receipt: dict[str, Any]) -> str:
    """The receipt of the export; what is in it is not checked when a file is read."""
    try:
        worst = max(d["relative"] for d in receipt["differences"].values())
        return (
            f"with Python on {int(receipt['rows'])} rows: equal to {float(worst):.1g}"
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""


def sample_request(metadata: dict[str, Any], address: str, needs_token: bool) -> str:
    """A request in the form of a command."""
    body = json.dumps({"rows": [_sample(metadata)]})
    quoted = body.replace("'", "'\\''")
    token = "  -H 'Authorization: Bearer TOKEN' \\\n" if needs_token else ""
    return f"curl {address} \\\n{token}  -d '{quoted}'"


def _sample(metadata: dict[str, Any]) -> Any:
    fields = fields_of(metadata)
    if fields is not None:
        used = [f for f in fields if f.get("used", True)]
        return {f["name"]: f["default"] for f in used[:_MAX_SAMPLE]} | (
            {"...": "..."} if len(used) > _MAX_SAMPLE else {}
        )
    if metadata["sequences"]:
        kind = metadata["sequences"]["kind"]
        return "some text" if kind in ("text", "document") else ["..."]
    return "base64 of a PNG, or nested lists"
