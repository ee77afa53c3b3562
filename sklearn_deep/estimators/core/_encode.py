"""From validated rows and targets to what a network is fed."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sklearn_deep.data._batches import Rows
from sklearn_deep.data._features import Features
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._sequence_targets import PerStepRows
from sklearn_deep.data._tasks import Targets, Task
from sklearn_deep.data.chunks._stream import Stream
from sklearn_deep.data.chunks._streamed_rows import StreamedRows
from sklearn_deep.estimators.core._parts import Part

TORCH_DTYPES = {np.dtype("float32"): torch.float32, np.dtype("float64"): torch.float64}


def encode_parts(
    task: Task,
    targets: Targets,
    train: Part,
    validation: Part | None,
    device: torch.device,
    by_length: bool,
) -> tuple[Rows, Rows | None]:
    """Training rows of mean weight 1, and validation rows; both may share features."""
    rows = encode(task, targets, train, device, by_length)
    if rows.weight is not None:
        rows = dataclasses.replace(rows, weight=rows.weight / rows.weight.mean())
    if validation is None:
        return rows, None
    shared = rows.x if validation.X is train.X else None
    return rows, encode(task, targets, validation, device, by_length, shared)


def encode(
    task: Task,
    targets: Targets,
    part: Part,
    device: torch.device,
    by_length: bool = False,
    shared: Any = None,
) -> Rows:
    """Rows as the network is fed them.

    Parameters
    ----------
    task : Task
    targets : Targets
    part : Part
    device : torch.device
    by_length : bool
        Whether batches hold sequences of about one length.
    shared : object or None
        The features, where another part has encoded them.
    """
    y = each(targets.encode, part.y, part.dtype, part.name)
    make = PerStepRows.of if isinstance(y, Ragged) else Rows.make
    rows = make(
        part.X if shared is None else shared,
        y,
        task.row_weights(targets, part.y, part.weight),
        part.index,
        TORCH_DTYPES[part.dtype],
        device,
    )
    return dataclasses.replace(rows, by_length=True) if by_length else rows


def stream_rows(
    task: Task,
    features: Features,
    targets: Targets,
    part: Part,
    sample: Rows,
    stream: Stream,
) -> StreamedRows:
    """All rows of a stream, encoded like those of its sample.

    Parameters
    ----------
    task : Task
    features : Features
        What the sample taught them.
    targets : Targets
    part : Part
        The sample.
    sample : Rows
        The same, encoded.
    stream : Stream
    """
    _check_streamable(features.owner, sample)
    mean = stream.mean_weight(task, targets)

    def encode(X: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
        X = features.check(X, None, part.dtype, reset=False)
        if part.labels is None or not isinstance(y, np.ndarray):
            y = task.check(y)  # labels are looked up, which is a check
        elif part.labels.ndim == 1 and y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]  # a column vector, of which the sample has warned
        weight = task.row_weights(targets, y, weight)
        if weight is not None and mean is not None:
            weight = (weight / mean).astype(part.dtype)
        return X, targets.encode(y, part.dtype), weight

    n_classes = targets.n_outputs if targets.kind == "softmax" else None
    row_bytes = sum(
        t[:1].nbytes for t in (sample.x, sample.y, sample.weight) if t is not None
    )
    # Beside each row is its place.
    encoding = dataclasses.replace(stream, encode=encode).bounded(row_bytes + 8)
    return StreamedRows.of(sample, encoding, n_classes)


def _check_streamable(owner: str, sample: Rows) -> None:
    if isinstance(sample.x, torch.Tensor) and not isinstance(sample, PerStepRows):
        return
    raise TypeError(
        f"{owner} cannot be trained on a stream of sparse rows, of sequences of unequal"
        " length or of targets per step. Raise buffer_rows to the number of rows, or"
        " make rows of one shape: pad sequences, densify sparse rows in the callable."
    )


def each(function: Callable, y: Any, *args: Any) -> Any:
    """Apply a function of targets; to those of all steps, where rows have many."""
    if isinstance(y, Ragged):
        return y.with_values(function(y.values, *args))
    return function(y, *args)
