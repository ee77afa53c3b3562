"""Predictions as markup: bars of probabilities, numbers with their spread, tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_deep.serving.page._html import Markup, name_of, tag

_MAX_BARS = 12
_MAX_ROWS = 200
_MAX_STEPS = 50


def answer_card(answer: Mapping[str, Any]) -> Markup:
    """The prediction of one row.

    Parameters
    ----------
    answer : dict
        An item of the predictions of ``/v1``.
    """
    return tag("section", tag("h2", "Prediction"), _parts(answer), **_CARD)


# Shown and read out when it comes.
_CARD = {"class_": "card result", "id": "result", "tabindex": "-1", "role": "status"}


def _parts(answer: Mapping[str, Any]) -> list[Markup]:
    if "tasks" in answer:
        return [
            tag("div", tag("h3", name_of(name)), _parts(part), class_="task")
            for name, part in answer["tasks"].items()
        ]
    if isinstance(answer.get("labels"), dict):
        return _targets(answer["labels"], answer.get("probabilities", {}))
    found = []
    for name, value in answer.items():
        if name != "std":
            found.append(_PARTS.get(name, _named)(name, value, answer))
    return found


def _targets(labels: Mapping[str, Any], p: Mapping[str, Any]) -> list[Markup]:
    return [
        tag(
            "div",
            tag("h3", "Target ", name_of(name)),
            _headline("", label, {}),
            _bars("", p[name], {}) if name in p else None,
            class_="task",
        )
        for name, label in labels.items()
    ]


def text_of(value: Any) -> str:
    """A predicted value as text."""
    if value is None:
        return "not a finite number"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(map(text_of, value[:_MAX_STEPS]))
        return f"{shown}, ..." if len(value) > _MAX_STEPS else shown or "none"
    return str(value)


def _headline(name: str, value: Any, answer: Mapping[str, Any]) -> Markup:
    spread = answer.get("std")
    return tag(
        "p",
        name_of(text_of(value)),
        tag("small", f" ± {_spread_of(spread)}") if spread is not None else None,
        class_="headline",
    )


def _spread_of(std: Any) -> str:
    return f"{std:.3g}" if isinstance(std, float) else text_of(std)


def _bars(name: str, p: Mapping[str, Any], answer: Mapping[str, Any]) -> Markup:
    """Probabilities, the largest first."""
    if any(isinstance(value, list) for value in p.values()):  # of steps
        return _named(name, p, answer)
    ordered = sorted(p.items(), key=lambda item: -(item[1] or 0))
    left = len(ordered) - _MAX_BARS
    more = tag("p", f"and {left} classes that are less probable", class_="hint")
    return tag(
        "div",
        tag(
            "table",
            tag("caption", "Probabilities"),
            tag("tbody", [_bar(*item) for item in ordered[:_MAX_BARS]]),
            class_="bars",
        ),
        more if left > 0 else None,
    )


def _bar(label: str, p: float | None) -> Markup:
    width = f"{100 * min(max(p or 0, 0), 1):.2f}%"
    drawing = tag(
        "svg",
        tag("rect", class_="track", width="100%", height="100%", rx=4),
        tag("rect", class_="fill", width=width, height="100%", rx=4),
        class_="bar",
        aria_hidden="true",
    )
    return tag(
        "tr",
        tag("th", name_of(label), scope="row"),
        tag("td", drawing),
        tag("td", percent(p), class_="number"),
    )


def percent(p: float | None) -> str:
    """A probability for people; 100 % and 0 % are exact."""
    if p is None:
        return "none"
    if 0.9995 <= p < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < p < 0.0005 else f"{100 * p:.1f} %"


def _named(name: str, value: Any, answer: Mapping[str, Any]) -> Markup:
    if not isinstance(value, dict):
        return tag("p", tag("b", name_of(name.replace("_", " "))), f" {text_of(value)}")
    spreads = answer.get("stds", {})
    rows = [
        tag(
            "tr",
            tag("th", name_of(key), scope="row"),
            tag(
                "td",
                text_of(one),
                f" ± {_spread_of(spreads[key])}" if key in spreads else None,
                class_="number",
            ),
        )
        for key, one in value.items()
    ]
    return tag("div", tag("table", tag("tbody", rows)), class_="scroll", **_SCROLLS)


_SCROLLS = {"tabindex": "0", "role": "region", "aria_label": "Results"}
_PARTS = {
    "label": _headline,
    "labels": _headline,
    "value": _headline,
    "cluster": _headline,
    "probabilities": _bars,
    "stds": lambda name, value, answer: Markup(""),
}


# Several rows


def answer_table(
    inputs: Mapping[str, Sequence[str]], rows: Sequence[Mapping[str, Any]], note: str
) -> Markup:
    """The predictions of several rows beside what was asked."""
    predictions = [flat(row) for row in rows[:_MAX_ROWS]]
    names = list(predictions[0])
    head = tag(
        "tr",
        tag("th", "Row", scope="col"),
        [tag("th", name_of(name), scope="col", class_="answer") for name in names],
        [tag("th", name_of(name), scope="col") for name in inputs],
    )
    body = [
        tag(
            "tr",
            tag("th", i + 1, scope="row"),
            [tag("td", name_of(_cell(n, one[n])), class_="answer") for n in names],
            [tag("td", name_of(column[i])) for column in inputs.values()],
        )
        for i, one in enumerate(predictions)
    ]
    left = len(rows) - len(predictions)
    more = f"The first {len(predictions)} of {len(rows)} rows. Download the results for all."
    return tag(
        "section",
        tag("h2", f"{len(rows)} predictions" if len(rows) > 1 else "1 prediction"),
        tag("p", note, class_="hint") if note else None,
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", body), class_="grid"),
            class_="scroll",
            **_SCROLLS,
        ),
        tag("p", more, class_="hint") if left else None,
        **{**_CARD, "class_": "card result wide"},
    )


def _cell(name: str, value: Any) -> str:
    if name.startswith(_PROBABILITY) and isinstance(value, float):
        return percent(value)
    return text_of(value)


_PROBABILITY = "p("


def flat(answer: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The prediction of a row as one value per column of a table."""
    found: dict[str, Any] = {}
    for name, value in answer.items():
        if name == "probabilities":
            found |= _probabilities(value, prefix)
        elif name == "tasks":
            for task, part in value.items():
                found |= flat(part, f"{prefix}{task} ")
        elif isinstance(value, dict):
            what = "" if name in ("columns", "values") else f"{name} "
            found |= {f"{prefix}{what}{key}": one for key, one in value.items()}
        else:
            found[f"{prefix}{name}"] = value
    return found


def _probabilities(p: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in p.items():
        if isinstance(value, dict):
            found |= _probabilities(value, f"{name} ")
        else:
            found[f"{_PROBABILITY}{prefix}{name})"] = value
    return found
