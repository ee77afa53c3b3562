"""The table of ONNX operators: how torch computes each, and which inputs are weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sklearn_deep.transfer.conversion._elementwise import ELEMENTWISE, Run, cast
from sklearn_deep.transfer.conversion._graph import Step
from sklearn_deep.transfer.conversion._layers import LAYERS
from sklearn_deep.transfer.conversion._recurrent import RECURRENT
from sklearn_deep.transfer.conversion._shapes import SHAPES


@dataclass(frozen=True)
class Operator:
    """A row of the table.

    Attributes
    ----------
    run : callable ``(step, *inputs) -> Tensor or sequence of Tensors``
        An input that is left out is None.
    weights : tuple of int
        Positions of inputs that are trained where they are arrays of the file.
    passes : bool
        Whether the operator only moves values of its first input, so that an array in
        front of it is as much a weight as what it gives.
    added : bool
        Whether an array among its inputs is a weight if it has an axis, as a bias has;
        a plain number is part of a formula.
    """

    run: Run
    weights: tuple[int, ...] = ()
    passes: bool = False
    added: bool = False


_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Einsum": (0, 1, 2),
    "FusedMatMul": (0, 1),
    "GRU": (1, 2, 3, 5),
    "Gather": (0,),
    "Gemm": (0, 1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3, 5, 6, 7),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3, 5),
}
_PASSES = (
    *("Cast", "Concat", "Expand", "Identity", "Pad", "Reshape", "Slice", "Split"),
    *("Squeeze", "Tile", "Transpose", "Unsqueeze"),
)
_ADDED = ("Add", "Mul", "Sub", "Sum")


def _cast_to_float(step: Step, x: Tensor) -> Tensor:
    return cast(step, x, torch.get_default_dtype())


_RUNS: dict[str, Run] = {
    **ELEMENTWISE,
    **LAYERS,
    **RECURRENT,
    **SHAPES,
    "Cast": _cast_to_float,
}

OPERATORS: dict[str, Operator] = {
    op: Operator(run, _WEIGHTS.get(op, ()), op in _PASSES, op in _ADDED)
    for op, run in sorted(_RUNS.items())
}


def run_step(
    step: Step, inputs: Sequence[Tensor | None], dtype: torch.dtype
) -> tuple[Any, ...]:
    """The outputs of a step; numbers of the file are in the network's dtype."""
    operator = OPERATORS[step.op]
    run: Callable[..., Any] = operator.run
    given: Sequence[Any] = inputs
    out = cast(step, given[0], dtype) if step.op == "Cast" else run(step, *given)
    outs = (out,) if isinstance(out, Tensor) else tuple(out)
    return tuple(
        o.to(dtype) if o.is_floating_point() and o.dtype != dtype else o for o in outs
    )
