"""What a file of ``to_onnx`` says of itself."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import ModelProto

_KEY = "sklearn_deep"


def read_metadata(model: ModelProto) -> dict[str, Any]:
    """The metadata of an export of this package; {} for other files."""
    for entry in model.metadata_props:
        if entry.key == _KEY:
            try:
                found = json.loads(entry.value)
            except (ValueError, RecursionError):
                return {}
            return found if isinstance(found, dict) else {}
    return {}


def classes_of(metadata: Mapping[str, Any]) -> np.ndarray | None:
    """The labels of a classifier."""
    listed = metadata.get("classes")
    if not isinstance(listed, dict) or not isinstance(listed.get("values"), list):
        return None
    try:
        return np.array(listed["values"], listed.get("dtype"))
    except (TypeError, ValueError):
        return None


def main_output(metadata: Mapping[str, Any]) -> str | None:
    """The output that has most of what a network computed."""
    outputs = metadata.get("outputs")
    if not isinstance(outputs, dict):
        return None
    for method in ("predict_proba", "decision_function", "predict", "transform"):
        role = outputs.get(method)
        if isinstance(role, dict) and isinstance(role.get("name"), str):
            return role["name"]
    return None
