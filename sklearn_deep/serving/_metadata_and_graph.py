"""Check of the metadata against the graph: names, types and shapes must agree."""

from collections.abc import Iterator
from typing import Any

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.serving._outputs import output_names

_TYPES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "int64": "tensor(int64)",
    "bool": "tensor(bool)",
    "uint8": "tensor(uint8)",
    "string": "tensor(string)",
    "datetime64[us]": "tensor(int64)",
    "timedelta64[us]": "tensor(int64)",
}
_FORMS = {
    "tensor": "tensor(",
    "columns": "tensor(",
    "sequence": "seq(tensor(",
    "zipmap": "seq(map(",
}


def check_metadata_and_graph(metadata: dict[str, Any], session: Any) -> None:
    """Raise if the inputs or outputs of a graph differ from the metadata.

    Raises
    ------
    OnnxFileError
    """
    inputs = {info.name: info for info in session.get_inputs()}
    outputs = {info.name: info for info in session.get_outputs()}
    wanted = {part["name"] for part in metadata["inputs"]}
    _check_names("inputs", wanted, set(inputs))
    named = {name for role in _roles(metadata) for name in output_names(role)}
    _check_names("outputs", named, set(outputs))
    unnamed = sorted(set(inputs) - wanted)
    if unnamed:
        raise _changed(
            f"The metadata do not contain the inputs {unnamed!r} of the model."
        )
    for mismatch in (
        *_input_mismatches(metadata, inputs),
        *_output_mismatches(metadata, outputs),
    ):
        raise _changed(f"The metadata do not match the model: {mismatch}.")


def _roles(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    refusals = metadata.get("refusals")
    of_tasks = [
        {"name": task[method]}
        for task in metadata.get("tasks") or ()
        for method in ("predict", "predict_proba")
        if method in task
    ]
    outputs = metadata["outputs"].values()
    return [*outputs, *of_tasks, *([refusals] if refusals else [])]


def _check_names(kind: str, named: set[str], present: set[str]) -> None:
    missing = sorted(named - present)
    if missing:
        raise _changed(
            f"The model lacks the {kind} {missing!r} that its metadata name; it has"
            f" {sorted(present)!r}."
        )


def _changed(what: str) -> OnnxFileError:
    return OnnxFileError(f"{what} It was changed after the export: export it again.")


def _input_mismatches(
    metadata: dict[str, Any], inputs: dict[str, Any]
) -> Iterator[str]:
    for part in metadata["inputs"]:
        info = inputs[part["name"]]
        shape = [len(part["columns"])] if part["columns"] else part["row_shape"]
        if info.type != _TYPES[part["dtype"]]:
            yield f"the input {info.name!r} is {info.type}, not {part['dtype']}"
        elif not _fits(info.shape, shape):
            yield f"the input {info.name!r} has shape {info.shape}, not rows of {shape}"


def _fits(found: list[Any], row_shape: list[Any]) -> bool:
    """Compare two shapes; an axis whose length is None or a name may have any length."""
    open_rows = bool(found) and not isinstance(found[0], int)
    return (open_rows and len(found) == 1 + len(row_shape)) and all(
        not isinstance(one, int) or other == one
        for one, other in zip(found[1:], row_shape, strict=True)
    )


def _output_mismatches(
    metadata: dict[str, Any], outputs: dict[str, Any]
) -> Iterator[str]:
    for role in _roles(metadata):
        form = role.get("form", "tensor")
        for name in output_names(role):
            if not outputs[name].type.startswith(_FORMS[form]):
                yield f"the output {name!r} is {outputs[name].type}, not a {form}"
    if metadata["task"] in ("transformer", "several"):
        return
    for method, role in metadata["outputs"].items():
        labels = method == "predict" and metadata["task"] == "classifier"
        are_strings = labels and _are_strings(metadata["classes"])
        for name in output_names(role):
            if (outputs[name].type == "tensor(string)") != are_strings:
                yield f"the output {name!r} is {outputs[name].type}"


def _are_strings(classes: Any) -> bool:
    parts = classes if isinstance(classes, list) else [classes]
    return any(isinstance(label, str) for part in parts for label in part["values"])
