"""Whether all ranks train the same job."""

import re
import zlib
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from torch import Tensor

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.exceptions import RanksDifferError
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.ranks._ranks import Ranks

# At most so many bytes of an array are compared, in even steps over its rows.
_MOST_BYTES = 64 << 20

# Parts of a job that decide its result.
_SPECS = (
    "optimizer",
    "schedule",
    "stopping",
    "penalties",
    "batch_size",
    "seed",
    "augmentation",
)

_MOST_SHOWN = 3  # parts that differ, in an error


def check_alike(job: TrainJob, ranks: Ranks) -> None:
    """Raise on all ranks where one has another job than the first.

    Raises
    ------
    RanksDifferError
        The message says which parts differ.
    """
    each = ranks.of_each(_parts(job))
    for rank, parts in enumerate(each):
        differing = [
            name
            for name in each[0] | parts
            if parts.get(name, "nothing") != each[0].get(name, "nothing")
        ]
        if differing:
            raise RanksDifferError(_text(rank, differing, each[0], parts))


def _text(rank: int, names: list[str], first: dict, other: dict) -> str:
    shown = ", ".join(
        f"{name} ({first.get(name, 'nothing')} against {other.get(name, 'nothing')})"
        for name in names[:_MOST_SHOWN]
    )
    return (
        f"Ranks 0 and {rank} do not train the same fit; they differ in: {shown}. Every"
        " process has to load all rows in the same order, and to use the same parameters:"
        " set random_state wherever rows are drawn, shuffled or split, and in the search"
        " that proposes parameters."
    )


def _parts(job: TrainJob) -> dict[str, Any]:
    """What is compared, by the name that an error gives it."""
    parts: dict[str, Any] = {"the estimator": job.owner}
    parts |= _of_rows(job.rows, "X", "y", "sample_weight")
    if job.validation is not None:
        names = "the validation rows", "their targets", "their weights"
        parts |= _of_rows(job.validation, *names)
    for name in _SPECS:
        parts |= _of_spec(name, getattr(job, name))
    shapes = [tuple(p.shape) for p in job.module.parameters()]
    layers = _without_addresses(repr(job.module))
    parts["the network"] = (
        f"{len(shapes)} tensors, {_crc(f'{shapes}{layers}'.encode()):08x}"
    )
    parts["loss"] = f"{job.loss.name}, {job.loss.params!r}"
    return parts


def _without_addresses(text: str) -> str:
    """A text without addresses in memory, which differ between equal processes."""
    return re.sub("0x[0-9a-fA-F]+", "0x", text)


def _of_spec(name: str, value: Any) -> dict[str, str]:
    """A part of a job, by field where it has some."""
    if not is_dataclass(value):
        return {name: repr(value)}
    return {
        f"{field.name} of the {name}": repr(getattr(value, field.name))
        for field in fields(value)
    }


def _of_rows(rows: Any, x: str, y: str, weight: str) -> dict[str, str]:
    if not isinstance(rows, Rows):
        return {x: f"{len(rows)} rows"}
    parts = {x: _of_features(rows.x), y: _of_array(rows.y)}
    if rows.weight is not None:
        parts[weight] = _of_array(rows.weight)
    if rows.index is not None:
        parts["the row numbers of " + x] = _of_array(rows.index)
    return parts


def _of_features(x: Any) -> str:
    if sp.issparse(x):
        return ", ".join(map(_of_array, (x.data, x.indices, x.indptr)))
    if isinstance(x, Ragged):
        return ", ".join(map(_of_array, (x.values, x.offsets)))
    return _of_array(x)


def _of_array(x: Any) -> str:
    """Shape, dtype and a checksum, in a few characters."""
    array = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
    step = max(1, -(-array.nbytes // _MOST_BYTES))
    checksum = _crc(np.ascontiguousarray(array[::step]))
    return f"shape {array.shape}, {array.dtype}, checksum {checksum:08x}"


def _crc(content: Any) -> int:
    return zlib.crc32(memoryview(content).cast("B"))
