"""The fields of a file's metadata, also of files that have none."""

from typing import Any

# Limits of an integer of 8 bits.
BYTE = {"least": 0, "most": 255}

_KINDS = {
    "int64": "integer",
    "uint8": "integer",
    "bool": "boolean",
    "string": "text",
    "datetime64[us]": "date",
    "timedelta64[us]": "duration",
}


def fields_of(metadata: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return one field per column of the model's table.

    Parameters
    ----------
    metadata : dict
        The metadata of a file. An older file, or one of a very wide table, has no fields:
        then they are made of the types of its inputs, and the model decides what it
        accepts.

    Returns
    -------
    list of dict or None
        None for images, series, sequences and texts.
    """
    found = metadata.get("fields")
    if found is not None:
        return found
    if metadata["sequences"] or not metadata["inputs"][0]["columns"]:
        return None
    names, width = metadata["feature_names_in"], metadata["n_features_in"]
    fields = [
        {"name": f"x{j}" if names is None else names[j], "kind": "text"}
        | {"missing": True, "default": None, "used": False}
        for j in range(width)
    ]
    for part in metadata["inputs"]:
        for j in part["columns"]:
            kind = _KINDS.get(part["dtype"], "number")
            may_miss = kind not in ("integer", "boolean")
            fields[j] = {"name": fields[j]["name"], "kind": kind, "missing": may_miss}
            limits = BYTE if part["dtype"] == "uint8" else {}
            fields[j] |= {"default": None, **limits}
    return fields
