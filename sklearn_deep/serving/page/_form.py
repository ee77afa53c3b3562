"""The form of a model: an input for each field, made from the metadata of its file."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sklearn_deep.serving.fields._fields import fields_of
from sklearn_deep.serving.fields._images import ImageForm, image_form
from sklearn_deep.serving.page._html import Markup, name_of, tag

Field = dict[str, Any]

# More fields than people fill in: such a model is asked with a CSV.
MAX_FIELDS = 300


class Given(NamedTuple):
    """What was filled in, and what is wrong with it.

    Attributes
    ----------
    values : dict of str to str
        By the name of the input.
    faults : dict of str to str
        By the name of the input; "" for those of the whole form.
    """

    values: Mapping[str, str]
    faults: Mapping[str, str]


NOTHING = Given({}, {})


def input_name(index: int) -> str:
    """Name of the input of a column: names of columns may be anything."""
    return f"f{index}"


def row_form(metadata: dict[str, Any], action: str, given: Given) -> Markup | None:
    """The form of one row; None for a table that is too wide for a form."""
    fields, image = fields_of(metadata), image_form(metadata)
    if fields is not None and len(fields) > MAX_FIELDS:
        return None
    if fields is not None:
        inputs = _table_inputs(fields, given)
    elif image is not None:
        inputs = _image_inputs(image, given)
    else:
        inputs = _text_input(metadata, given)
    fault = given.faults.get("")
    what = "image" if image is not None else "row"
    return tag(
        "form",
        tag("h2", f"One {what}"),
        tag("p", fault, class_="fault", role="alert") if fault else None,
        inputs,
        tag("button", "Predict", class_="primary"),
        method="post",
        action=f"{action}#result",
        enctype="multipart/form-data" if image is not None else None,
        class_="card",
    )


def csv_form(metadata: dict[str, Any], action: str, given: Given) -> Markup | None:
    """The form of several rows, as a CSV; None for a model that takes no table."""
    fields = fields_of(metadata)
    if fields is None:
        return None
    names = [f["name"] for f in fields if f.get("used", True)]
    fault = given.faults.get("csv")
    hint = "With a line of column names first. Other columns are left out."
    return tag(
        "form",
        tag("h2", "Many rows"),
        tag(
            "div",
            tag("label", "CSV", for_="csv"),
            tag("p", hint, id="csv-hint", class_="hint"),
            _csv_input(names, given.values.get("csv", ""), fault),
            _csv_faults(fault),
            class_="field",
        ),
        tag(
            "div",
            tag("button", "Predict all", class_="primary"),
            _DOWNLOAD,
            class_="actions",
        ),
        method="post",
        action=f"{action}#result",
        class_="card",
        data_csv=True,
    )


def _csv_input(names: list[str], text: str, fault: str | None) -> Markup:
    return tag(
        "textarea",
        "\n" + text,  # the parser of HTML drops the first line feed
        id="csv",
        name="csv",
        rows=6,
        required=True,
        spellcheck="false",
        placeholder=",".join(names[:12]) + (",..." if len(names) > 12 else ""),
        aria_describedby="csv-fault csv-hint" if fault else "csv-hint",
        aria_invalid="true" if fault else None,
    )


def _csv_faults(fault: str | None) -> Markup | None:
    if not fault:
        return None
    return tag("p", fault, class_="fault lines", id="csv-fault", role="alert")


_DOWNLOAD = tag("button", "Download results", name="download", value="1")


# Tables


def _table_inputs(fields: list[Field], given: Given) -> Markup:
    used = [(j, f) for j, f in enumerate(fields) if f.get("used", True)]
    unused = len(fields) - len(used)
    note = (
        f"{unused} columns of the training rows are not asked for: the model does not"
        " use them."
    )
    return tag(
        "div",
        tag("div", [_field(j, field, given) for j, field in used], class_="fields"),
        tag("p", note, class_="hint") if unused else None,
        class_="inputs",
    )


def _field(index: int, field: Field, given: Given) -> Markup:
    name = input_name(index)
    fault = given.faults.get(name)
    hint = _hint(field)
    described = [f"{name}-fault"] * bool(fault) + [f"{name}-hint"] * bool(hint)
    common = {
        "id": name,
        "name": name,
        "aria_describedby": " ".join(described) or None,
        "aria_invalid": "true" if fault else None,
        "required": not field["missing"] and field["kind"] not in ("text", "category"),
    }
    value = given.values.get(name, shown_default(field))
    return tag(
        "div",
        tag("label", name_of(field["name"]), for_=name),
        _INPUTS[field["kind"]](field, value, common),
        tag("p", hint, id=f"{name}-hint", class_="hint") if hint else None,
        tag("p", fault, id=f"{name}-fault", class_="fault") if fault else None,
        class_="field",
    )


def shown_default(field: Field) -> str:
    """What a form begins with, as text."""
    value = field["default"]
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hint(field: Field) -> str:
    parts = []
    if "min" in field and field["kind"] in ("number", "integer", "date", "duration"):
        low, high = (_short(field[end]) for end in ("min", "max"))
        parts.append(f"{low} to {high}")
    if field["kind"] == "duration":
        parts.append("seconds")
    if field["missing"] and field["kind"] not in ("boolean", "category"):
        parts.append("may be empty")
    return ", ".join(parts)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).removesuffix("T00:00:00")


def _number(field: Field, value: str, common: dict[str, Any]) -> Markup:
    step = 1 if field["kind"] == "integer" else "any"
    return tag("input", **common, type="number", step=step, value=value)


def _text(field: Field, value: str, common: dict[str, Any]) -> Markup:
    return tag("input", **common, type="text", value=value, dir="auto")


def _date(field: Field, value: str, common: dict[str, Any]) -> Markup:
    """A date; with a time of day if the training rows have one."""
    seen = [value, *(str(field.get(end, "")) for end in ("min", "max"))]
    timed = any("T" in text and not text.endswith("T00:00:00") for text in seen)
    if timed:
        value += "T00:00:00" if len(value) == len("2024-05-31") else ""
        return tag("input", **common, type="datetime-local", step=1, value=value[:19])
    return tag("input", **common, type="date", value=value.partition("T")[0])


def _choice(field: Field, value: str, common: dict[str, Any]) -> Markup:
    offered = [str(choice) for choice in field.get("choices", ())]
    if not offered:
        return _text(field, value, common)
    if value and value not in offered:
        offered.insert(0, value)
    return _select(offered, value, field["missing"], common)


def _boolean(field: Field, value: str, common: dict[str, Any]) -> Markup:
    return _select(["false", "true"], value, field["missing"], common)


def _select(
    offered: list[str], value: str, missing: bool, common: dict[str, Any]
) -> Markup:
    options = [
        tag("option", choice, value=choice, selected=choice == value)
        for choice in offered
    ]
    if missing or not value:
        empty = "(missing)" if missing else "Choose ..."
        options.insert(0, tag("option", empty, value="", selected=not value))
    return tag("select", options, **common)


_INPUTS: dict[str, Callable[[Field, str, dict[str, Any]], Markup]] = {
    "number": _number,
    "integer": _number,
    "duration": _number,
    "boolean": _boolean,
    "category": _choice,
    "text": _text,
    "date": _date,
}


# Images


def _image_inputs(form: ImageForm, given: Given) -> Markup:
    size = " x ".join("any" if n is None else str(n) for n in (form.width, form.height))
    colours = "gray" if form.channels == 1 else "colour"
    hint = f"The model takes {size} pixels, {colours}. What is drawn or chosen is scaled to this."
    plain = f"Without JavaScript nothing is scaled: choose a file of {size} pixels."
    return tag(
        "div",
        tag("div", hidden=True, data_drawing=True, data_gray=form.channels == 1,
            data_width=form.width or 64, data_height=form.height or 64),
        tag("div",
            tag("label", "PNG or JPEG file", for_="file"),
            tag("input", type="file", id="file", name="file",
                accept="image/png,image/jpeg", aria_describedby="file-hint"),
            tag("p", hint, id="file-hint", class_="hint"),
            tag("noscript", tag("p", plain, class_="hint")),
            class_="field"),
        tag("input", type="hidden", name="image", value=given.values.get("image", "")),
        None if form.bytes else _range_inputs(given),
        class_="inputs",
    )  # fmt: skip


def _range_inputs(given: Given) -> Markup:
    def one(name: str, label: str, default: str) -> Markup:
        value = given.values.get(name, default)
        return tag(
            "div",
            tag("label", label, for_=name),
            tag("input", id=name, name=name, type="number", step="any", value=value),
            class_="field",
        )

    hint = (
        "The model was not trained on bytes from 0 to 255: say what black and white were"
        " in its training rows."
    )
    return tag(
        "fieldset",
        tag("legend", "Range of the numbers"),
        tag("p", hint, class_="hint"),
        tag(
            "div",
            one("black", "Black", "0"),
            one("white", "White", "1"),
            class_="fields",
        ),
    )


# Series, sequences and texts


def _text_input(metadata: dict[str, Any], given: Given) -> Markup:
    label, hint, rows = describe_text(metadata)
    fault = given.faults.get("text")
    return tag(
        "div",
        tag("label", label, for_="text"),
        tag("p", hint, id="text-hint", class_="hint"),
        tag(
            "textarea",
            "\n" + given.values.get("text", ""),
            id="text",
            name="text",
            rows=rows,
            required=True,
            dir="auto",
            aria_describedby="text-fault text-hint" if fault else "text-hint",
            aria_invalid="true" if fault else None,
        ),
        tag("p", fault, id="text-fault", class_="fault") if fault else None,
        class_="field",
    )


def describe_text(metadata: dict[str, Any]) -> tuple[str, str, int]:
    """Label, hint and lines of the input of a row that is no row of a table."""
    sequences = metadata["sequences"]
    if sequences is not None:
        return _SEQUENCES[sequences["kind"]]
    shape = metadata["inputs"][0]["row_shape"]
    if len(shape) > 2:
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        return "Numbers", f"Nested lists in JSON, in the shape {wanted}.", 8
    steps = "any number of" if shape[0] is None else shape[0]
    several = len(shape) > 1 and shape[1] != 1
    per = f", {shape[1]} numbers each" if several else ", a number each"
    return "Series", f"A line per step: {steps} lines{per}.", 10


_SEQUENCES = {
    "text": ("Text", "One text.", 5),
    "document": ("Text", "One text.", 5),
    "tokens": ("Tokens", "Separated by spaces.", 5),
    "numbers": ("Series", "A line per step, its numbers separated by commas.", 10),
}
