"""A drawing without what does not depend on the rows: constants are computed once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sklearn_deep.exceptions import OnnxFileError
from sklearn_deep.transfer.conversion._graph import Step, uses_of
from sklearn_deep.transfer.conversion._operators import OPERATORS, run_step
from sklearn_deep.transfer.conversion._reading import Drawing, with_settings

Arrays = dict[str, np.ndarray]

# They keep zeros zero.
_KEEPS_ZERO = {"Cast", "Neg", "ReduceSum", "Reshape", "Squeeze", "Transpose"}


def simplified(drawing: Drawing, *, drops_zeros: bool) -> Drawing:
    """The same computation with fewer steps.

    Parameters
    ----------
    drawing : Drawing
    drops_zeros : bool
        Whether products with zeros are left out: exports of this package add them to
        let missing values through to the outputs.
    """
    arrays = dict(drawing.arrays)
    steps = _folded(drawing.steps, arrays)
    if drops_zeros:
        steps = _without_zeros(steps, arrays)
    return replace(drawing, steps=_without_identities(steps, drawing), arrays=arrays)


def _folded(steps: tuple[Step, ...], arrays: Arrays) -> tuple[Step, ...]:
    """Compute what depends on arrays alone."""
    left, uses = list[Step](), uses_of(steps)
    dtype = floating_dtype(arrays)
    for step in steps:
        step = with_settings(step, arrays)
        if (
            step.op not in OPERATORS
            or not _is_constant(step, arrays)
            or _is_tied(step, arrays, uses)
        ):
            left.append(step)
        else:
            arrays.update(_computed(step, arrays, dtype))
    return tuple(left)


def floating_dtype(arrays: Mapping[str, np.ndarray]) -> np.dtype:
    """The dtype of a network: float64 where all of its large arrays are."""
    kinds = {a.dtype for a in arrays.values() if a.dtype.kind == "f" and a.size > 1}
    return np.dtype(np.float64 if kinds == {np.dtype(np.float64)} else np.float32)


def _is_constant(step: Step, arrays: Arrays) -> bool:
    return all(
        not name or (name in arrays and arrays[name].dtype.kind not in "OUS")
        for name in step.inputs
    )


def _is_tied(step: Step, arrays: Arrays, uses: Mapping[str, Any]) -> bool:
    """Whether an array is used elsewhere too: as two arrays it would be trained apart."""
    return OPERATORS[step.op].passes and any(
        name
        and arrays[name].dtype.kind == "f"
        and arrays[name].ndim > 1
        and len(uses[name]) > 1
        for name in step.inputs
    )


def _computed(step: Step, arrays: Arrays, dtype: np.dtype) -> Arrays:
    inputs = [torch.tensor(arrays[n]) if n else None for n in step.inputs]
    try:
        with torch.no_grad():
            outs = run_step(step, inputs, torch.from_numpy(np.empty(0, dtype)).dtype)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise OnnxFileError(
            f"{step.op} ({step.outputs[0]!r}) of the ONNX model cannot be computed:"
            f" {error}. The file is damaged, or not to be trusted: export it again."
        ) from error
    return {
        name: out.numpy() for name, out in zip(step.outputs, outs, strict=False) if name
    }


def _without_identities(steps: tuple[Step, ...], drawing: Drawing) -> tuple[Step, ...]:
    """Leave out steps that copy; a copy that is an output of the model stays."""
    left, names = list[Step](), dict[str, str]()
    for step in steps:
        step = _renamed(step, names)
        if step.op == "Identity" and step.outputs[0] not in drawing.outputs:
            names[step.outputs[0]] = step.inputs[0]
        else:
            left.append(step)
    return tuple(left)


def _renamed(step: Step, names: Mapping[str, str]) -> Step:
    return replace(step, inputs=tuple(names.get(n, n) for n in step.inputs))


def _without_zeros(steps: tuple[Step, ...], arrays: Arrays) -> tuple[Step, ...]:
    """Leave out sums with products of zeros."""
    fixed = {n for n, a in arrays.items() if a.dtype.kind == "f" and not a.any()}
    zero, names, left = set[str](), dict[str, str](), list[Step]()
    for step in steps:
        step = _renamed(step, names)
        if _is_zero(step, fixed, zero):
            zero.update(step.outputs)
        rest = _not_zero(step, fixed, zero, arrays)
        if rest is None:
            left.append(step)
        else:
            names[step.outputs[0]] = rest
    return tuple(left)


def _is_zero(step: Step, fixed: set[str], zero: set[str]) -> bool:
    """Whether a step gives zeros, for every finite row."""
    if step.op in ("MatMul", "Mul"):
        return any(name in fixed or name in zero for name in step.inputs)
    return step.op in _KEEPS_ZERO and step.inputs[0] in zero


def _not_zero(
    step: Step, fixed: set[str], zero: set[str], arrays: Arrays
) -> str | None:
    """The term that a sum consists of, where the other one is zero."""
    if step.op == "Gemm" and len(step.inputs) == 3:
        product_is_zero = any(n in fixed or n in zero for n in step.inputs[:2])
        return (
            step.inputs[2] if product_is_zero and step.inputs[2] not in arrays else None
        )
    if step.op in ("Add", "Sub") and step.inputs[1] in zero:
        return step.inputs[0]
    if step.op == "Add" and step.inputs[0] in zero:
        return step.inputs[1]
    return None
