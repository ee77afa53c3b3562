"""Tensors of a graph as the Open Inference Protocol describes them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from sklearn_deep.serving._outputs import output_names

# Datatypes of the protocol, and the NumPy type of each; strings are objects.
DTYPES: Mapping[str, np.dtype] = MappingProxyType(
    {
        "BOOL": np.dtype(bool),
        "UINT8": np.dtype(np.uint8),
        "UINT16": np.dtype(np.uint16),
        "UINT32": np.dtype(np.uint32),
        "UINT64": np.dtype(np.uint64),
        "INT8": np.dtype(np.int8),
        "INT16": np.dtype(np.int16),
        "INT32": np.dtype(np.int32),
        "INT64": np.dtype(np.int64),
        "FP16": np.dtype(np.float16),
        "FP32": np.dtype(np.float32),
        "FP64": np.dtype(np.float64),
        "BYTES": np.dtype(object),
    }
)
_OF_ONNX = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
}


@dataclass(frozen=True)
class TensorSpec:
    """Name, datatype and shape of a tensor.

    Parameters
    ----------
    name : str
    datatype : str
        Key of ``DTYPES``.
    shape : tuple of int
        -1 for an axis of any length; the first axis has the rows.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """The form of the protocol."""
        return {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.shape),
        }


@dataclass(frozen=True)
class OutputSpec(TensorSpec):
    """An output, and where in the graph's outputs it is.

    Parameters
    ----------
    source : str
        Name of the output of the graph.
    part : int, optional
        Index in a sequence of tensors.
    """

    source: str
    part: int | None = None

    def select(self, computed: Any) -> np.ndarray:
        """Take this tensor from what the graph computed for ``source``."""
        if self.part is not None:
            return computed[self.part]
        if isinstance(computed, list):  # of mappings, one per row
            return np.array([list(row.values()) for row in computed], np.float32)
        return computed


def input_specs(session: Any) -> tuple[TensorSpec, ...]:
    """Describe the inputs of a graph."""
    return tuple(
        TensorSpec(info.name, *_type_and_shape(info)) for info in session.get_inputs()
    )


def output_specs(session: Any, metadata: dict[str, Any]) -> tuple[OutputSpec, ...]:
    """Describe the outputs of a graph, without one that only marks refused rows."""
    named = _named_outputs(metadata)
    return tuple(
        spec
        for info in session.get_outputs()
        if info.name in named
        for spec in _specs_of(info, metadata["classes"])
    )


def _named_outputs(metadata: dict[str, Any]) -> set[str]:
    roles = [
        name for role in metadata["outputs"].values() for name in output_names(role)
    ]
    tasks = [
        task[method]
        for task in metadata.get("tasks") or ()
        for method in ("predict", "predict_proba")
        if method in task
    ]
    return {*roles, *tasks}


def _specs_of(info: Any, classes: Any) -> Iterator[OutputSpec]:
    if info.type.startswith("tensor("):
        datatype, shape = _type_and_shape(info)
        yield OutputSpec(info.name, datatype, shape, info.name)
    elif info.type.startswith("seq(map("):
        width = len(classes["values"]) if isinstance(classes, dict) else -1
        yield OutputSpec(info.name, "FP32", (-1, width), info.name)
    else:  # a sequence with one tensor per target
        datatype = _OF_ONNX[info.type.removeprefix("seq(tensor(").rstrip(")")]
        for part, labels in enumerate(classes):
            shape = (-1, len(labels["values"]))
            yield OutputSpec(f"{info.name}_{part}", datatype, shape, info.name, part)


def _type_and_shape(info: Any) -> tuple[str, tuple[int, ...]]:
    datatype = _OF_ONNX[info.type.removeprefix("tensor(").rstrip(")")]
    return datatype, tuple(n if isinstance(n, int) else -1 for n in info.shape or (-1,))
