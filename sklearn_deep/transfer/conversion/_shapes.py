"""ONNX operators that move values, and those that compute shapes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.transfer.conversion._elementwise import Run
from sklearn_deep.transfer.conversion._graph import Step


def setting(step: Step, name: str, given: Tensor | None) -> Any:
    """A setting that is an attribute where it is constant, and a value where not."""
    if given is not None:
        return given.tolist()
    return step.attributes.get(name)


def _shape(step: Step, x: Tensor) -> Tensor:
    start, end = step.attributes.get("start", 0), step.attributes.get("end")
    return torch.tensor(list(x.shape)[start:end], device=x.device, dtype=torch.int64)


def _size(step: Step, x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), device=x.device)


def _reshape(step: Step, x: Tensor, shape: Tensor | None = None) -> Tensor:
    sizes = setting(step, "shape", shape)
    if not step.attributes.get("allowzero"):
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return x.reshape(sizes)


def _flatten(step: Step, x: Tensor) -> Tensor:
    axis = step.attributes.get("axis", 1)
    if axis < 0:
        axis += x.ndim
    return x.reshape(int(np.prod(x.shape[:axis], dtype=int)), -1)


def _transpose(step: Step, x: Tensor) -> Tensor:
    return x.permute(step.attributes.get("perm") or list(range(x.ndim))[::-1])


def _squeeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    where = setting(step, "axes", axes)
    if where is None:
        return x.squeeze()
    return x.squeeze(tuple(where))


def _unsqueeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    where = setting(step, "axes", axes)
    n_dims = x.ndim + len(where)
    for axis in sorted(axis % n_dims for axis in where):
        x = x.unsqueeze(axis)
    return x


def _concat(step: Step, *xs: Tensor) -> Tensor:
    return torch.cat(xs, step.attributes["axis"])


def _split(step: Step, x: Tensor, split: Tensor | None = None) -> Sequence[Tensor]:
    axis = step.attributes.get("axis", 0)
    sizes = setting(step, "split", split)
    if sizes is None:
        n_parts = len(step.outputs)
        sizes = -(-x.shape[axis] // n_parts)
    return torch.split(x, sizes, axis)


def _slice(step: Step, x: Tensor, *given: Tensor | None) -> Tensor:
    padded = [*given, None, None, None, None]
    names = ("starts", "ends", "axes", "steps")
    starts, ends, axes, steps = (
        setting(step, name, value) for name, value in zip(names, padded, strict=False)
    )
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, stride in zip(starts, ends, axes, steps, strict=True):
        x = _sliced(x, start, end, axis, stride)
    return x


def _sliced(x: Tensor, start: int, end: int, axis: int, stride: int) -> Tensor:
    length = x.shape[axis]
    places = range(length)[_bound(start, length) : _bound(end, length) : stride]
    if stride > 0:
        return (
            x.narrow(axis, places.start, len(places) * stride - stride + 1)[
                (slice(None),) * (axis % x.ndim) + (slice(None, None, stride),)
            ]
            if len(places)
            else x.narrow(axis, 0, 0)
        )
    return x.index_select(axis, torch.tensor(list(places), device=x.device).long())


def _bound(place: int, length: int) -> int | None:
    """A bound as Python's slices have it; far below 0 is before the first."""
    return None if place < -length else place


def _gather(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    axis, indices = step.attributes.get("axis", 0) % x.ndim, indices.long()
    length = x.shape[axis]
    if axis == 0 and x.ndim == 2 and x.is_floating_point():
        return F.embedding(indices.remainder(length), x)
    flat = x.index_select(axis, indices.reshape(-1).remainder(length))
    return flat.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _gather_elements(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    axis = step.attributes.get("axis", 0)
    return x.gather(axis, indices.long().remainder(x.shape[axis]))


def _gather_nd(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    if step.attributes.get("batch_dims", 0):
        raise ValueError("GatherND with batch_dims is not supported")
    return x[tuple(indices.long().movedim(-1, 0))]


def _expand(step: Step, x: Tensor, shape: Tensor | None = None) -> Tensor:
    sizes = setting(step, "shape", shape)
    return x.expand(torch.broadcast_shapes(x.shape, tuple(sizes)))


def _tile(step: Step, x: Tensor, repeats: Tensor | None = None) -> Tensor:
    times = setting(step, "repeats", repeats)
    _check_cells(step, x.numel() * float(np.prod(times, dtype=float)))
    return x.repeat(times)


def _constant_of_shape(step: Step, shape: Tensor | None = None) -> Tensor:
    value = step.attributes.get("value", np.zeros(1, np.float32))
    filled = torch.as_tensor(np.asarray(value)).reshape(())
    device = None if shape is None else shape.device
    return filled.to(device).expand(setting(step, "shape", shape)).clone()


# Largest number of values that a step may make of a few numbers.
_MOST_CELLS = 2**28


def _check_cells(step: Step, n_cells: float) -> None:
    """Raise before a damaged or hostile file fills the memory."""
    if n_cells > _MOST_CELLS:
        raise ValueError(f"{step.op} ({step.outputs[0]}) makes {n_cells:.2g} values")


def _range(step: Step, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    bounds = start.item(), limit.item(), delta.item()
    _check_cells(step, (bounds[1] - bounds[0]) / (bounds[2] or 1))
    return torch.arange(*bounds, dtype=start.dtype, device=start.device)


def _one_hot(step: Step, indices: Tensor, *given: Tensor) -> Tensor:
    depth, values = step.attributes.get("depth"), step.attributes.get("values")
    if depth is None:
        depth = given[0].tolist()
    if values is None:
        values = given[-1].tolist()
    n = int(np.reshape(depth, -1)[0])
    axis = step.attributes.get("axis", -1)
    marks = F.one_hot(indices.long().remainder(n), n).to(torch.get_default_dtype())
    off, on = values
    return (marks * (on - off) + off).movedim(-1, axis)


def _trilu(step: Step, x: Tensor, k: Tensor | None = None) -> Tensor:
    diagonal = setting(step, "k", k)
    cut = torch.triu if step.attributes.get("upper", 1) else torch.tril
    return cut(x, int(np.reshape(diagonal or 0, -1)[0]))


def _cum_sum(step: Step, x: Tensor, axis: Tensor | None = None) -> Tensor:
    if step.attributes.get("exclusive"):
        raise ValueError("CumSum with exclusive=1 is not supported")
    where = int(np.reshape(setting(step, "axis", axis), -1)[0])
    if step.attributes.get("reverse"):
        return x.flip(where).cumsum(where).flip(where)
    return x.cumsum(where)


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


def _pad(step: Step, x: Tensor, *given: Tensor | None) -> Tensor:
    padded = [*given, None, None, None]
    pads = setting(step, "pads", padded[0])
    value = setting(step, "constant_value", padded[1])
    axes = setting(step, "axes", padded[2]) or range(x.ndim)
    before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    sides = {
        a % x.ndim: pair
        for a, pair in zip(axes, zip(before, after, strict=True), strict=True)
    }
    flat = [n for axis in reversed(range(x.ndim)) for n in sides.get(axis, (0, 0))]
    while len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    mode = _PAD_MODES[step.attributes.get("mode", "constant")]
    if mode != "constant":
        return _padded_by_values(x, flat, mode)
    number = 0.0 if value is None else float(np.reshape(value, -1)[0])
    return F.pad(x, flat, value=number)


def _padded_by_values(x: Tensor, flat: list[int], mode: str) -> Tensor:
    """Pad with values of the image; torch wants batch and channels in front."""
    n_axes = len(flat) // 2
    lead = x.shape[: x.ndim - n_axes]
    inner = x.reshape(1, -1, *x.shape[x.ndim - n_axes :])
    out = F.pad(inner, flat, mode=mode)
    return out.reshape(*lead, *out.shape[2:])


_REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keep),
    "ReduceL2": lambda x, axes, keep: x.square().sum(axes, keep).sqrt(),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: torch.logsumexp(x, axes, keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keep),
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keep),
    "ReduceProd": lambda x, axes, keep: _product(x, axes, keep),
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keep),
    "ReduceSumSquare": lambda x, axes, keep: x.square().sum(axes, keep),
}


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((a % x.ndim for a in axes), reverse=True):
        x = x.prod(axis, keep)
    return x


def _reduction(function: Callable[[Tensor, list[int], bool], Tensor]) -> Run:
    def run(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
        where = setting(step, "axes", axes)
        if not where and step.attributes.get("noop_with_empty_axes"):
            return x
        keep = bool(step.attributes.get("keepdims", 1))
        return function(x, where or list(range(x.ndim)), keep)

    return run


def _arg(function: Callable[..., Tensor]) -> Run:
    def run(step: Step, x: Tensor) -> Tensor:
        keep = bool(step.attributes.get("keepdims", 1))
        return function(x, step.attributes.get("axis", 0), keep)

    return run


def _depth_to_space(step: Step, x: Tensor) -> Tensor:
    n = step.attributes["blocksize"]
    if step.attributes.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, n)
    b, c, h, w = x.shape
    x = x.reshape(b, n, n, c // n**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(b, c // n**2, h * n, w * n)


def _space_to_depth(step: Step, x: Tensor) -> Tensor:
    n = step.attributes["blocksize"]
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // n, n, w // n, n).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(b, c * n**2, h // n, w // n)


def _array_feature_extractor(step: Step, x: Tensor, places: Tensor) -> Tensor:
    return x.index_select(-1, places.reshape(-1).long())


SHAPES: dict[str, Run] = {
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "ArrayFeatureExtractor": _array_feature_extractor,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cum_sum,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
    **{op: _reduction(function) for op, function in _REDUCTIONS.items()},
}
