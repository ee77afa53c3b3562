"""A card held against the graph that it describes: names, types and widths."""

from collections.abc import Iterator
from typing import Any

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._outputs import names_of

_TYPES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "int64": "tensor(int64)",
    "bool": "tensor(bool)",
    "uint8": "tensor(uint8)",
    "string": "tensor(string)",
}
_FORMS = {
    "tensor": "tensor(",
    "columns": "tensor(",
    "sequence": "seq(tensor(",
    "zipmap": "seq(map(",
}


def check_card_and_graph(card: dict[str, Any], session: Any) -> None:
    """Raise where a graph does not take or give what its card says.

    Raises
    ------
    OnnxFileError
    """
    inputs = {info.name: info for info in session.get_inputs()}
    outputs = {info.name: info for info in session.get_outputs()}
    wanted = {part["name"] for part in card["inputs"]}
    _check_names("inputs", wanted, set(inputs))
    named = {name for role in _roles(card) for name in names_of(role)}
    _check_names("outputs", named, set(outputs))
    unnamed = sorted(set(inputs) - wanted)
    if unnamed:
        raise _changed(f"The card does not name the inputs {unnamed!r} of the model.")
    for fault in (*_input_faults(card, inputs), *_output_faults(card, outputs)):
        raise _changed(f"The card does not fit the model: {fault}.")


def _roles(card: dict[str, Any]) -> list[dict[str, Any]]:
    refusals = card.get("refusals")
    return [*card["outputs"].values(), *([refusals] if refusals else [])]


def _check_names(kind: str, named: set[str], there: set[str]) -> None:
    lost = sorted(named - there)
    if lost:
        raise _changed(
            f"The model lacks the {kind} {lost!r} that its card names; it has"
            f" {sorted(there)!r}."
        )


def _changed(what: str) -> OnnxFileError:
    return OnnxFileError(f"{what} It was changed after the export: export it again.")


def _input_faults(card: dict[str, Any], inputs: dict[str, Any]) -> Iterator[str]:
    for part in card["inputs"]:
        info = inputs[part["name"]]
        shape = [len(part["columns"])] if part["columns"] else part["row_shape"]
        if info.type != _TYPES[part["dtype"]]:
            yield f"the input {info.name!r} is {info.type}, not {part['dtype']}"
        elif not _fits(info.shape, shape):
            yield f"the input {info.name!r} has shape {info.shape}, not rows of {shape}"


def _fits(found: list[Any], row_shape: list[Any]) -> bool:
    """Compare lengths; those that are None or a name are open."""
    open_rows = bool(found) and not isinstance(found[0], int)
    return (open_rows and len(found) == 1 + len(row_shape)) and all(
        not isinstance(one, int) or other == one
        for one, other in zip(found[1:], row_shape, strict=True)
    )


def _output_faults(card: dict[str, Any], outputs: dict[str, Any]) -> Iterator[str]:
    for role in _roles(card):
        form = role.get("form", "tensor")
        for name in names_of(role):
            if not outputs[name].type.startswith(_FORMS[form]):
                yield f"the output {name!r} is {outputs[name].type}, not a {form}"
    if card["task"] == "transformer":
        return
    for method, role in card["outputs"].items():
        labels = method == "predict" and card["task"] == "classifier"
        texts = labels and _are_texts(card["classes"])
        for name in names_of(role):
            if (outputs[name].type == "tensor(string)") != texts:
                yield f"the output {name!r} is {outputs[name].type}"


def _are_texts(classes: Any) -> bool:
    parts = classes if isinstance(classes, list) else [classes]
    return any(isinstance(label, str) for part in parts for label in part["values"])
