"""In-memory minibatches: tensors or CSR rows, gathered a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sklearn_deep.data._padded import Padded
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._rows import chunks, row_values


class Batch(NamedTuple):
    """Rows that the network sees at once.

    Attributes
    ----------
    x : Tensor or Padded
        As the network takes it.
    y : Tensor
        Encoded targets.
    weight : Tensor or None
        None for equal weights.
    """

    x: Any
    y: Tensor
    weight: Tensor | None

    def __len__(self) -> int:  # type: ignore[override]
        return self.y.shape[0]

    def with_x(self, x: Any) -> "Batch":
        """The batch with other features; ``_replace`` asks a tuple for its length."""
        return Batch(x, self.y, self.weight)


@dataclass(frozen=True)
class Rows:
    """The rows of a fit; targets, weights and index are on the device.

    Attributes
    ----------
    x : Tensor of shape (n_all, ...), CSR matrix or Ragged
        Features, on the host until ``to_device`` brings them to the device. A CSR matrix
        stays on the host and is densified a batch at a time; sequences of unequal
        length likewise are padded a batch at a time.
    y : Tensor of shape (n_rows, ...)
        Encoded targets.
    weight : Tensor of shape (n_rows,) or None
        Weights.
    index : Tensor of shape (n_rows,) or None
        Row numbers into ``x``, so that training and validation rows share it; None for
        all rows in order.
    by_length : bool
        Whether the batches of an epoch hold sequences of about one length.
    """

    x: Any
    y: Tensor
    weight: Tensor | None
    index: Tensor | None = None
    by_length: bool = False

    @classmethod
    def make(
        cls,
        x: Any,
        y: np.ndarray,
        weight: np.ndarray | None,
        index: np.ndarray | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> "Rows":
        """Take validated arrays; ``x`` may be a tensor already."""
        if not (_stays(x) or isinstance(x, Tensor)):
            x = as_tensor(x)
        target = as_tensor(y).to(device)
        scaled = None if weight is None else as_tensor(weight).to(device, dtype)
        where = None if index is None else torch.from_numpy(index).to(device)
        return cls(x, target, scaled, where)

    def __len__(self) -> int:
        return self.y.shape[0]

    @property
    def sample(self) -> "Rows":
        """The rows that are in memory: all of them."""
        return self

    @property
    def lengths(self) -> np.ndarray | None:
        """Lengths by which rows are put together into batches; None if they are not."""
        if not (self.by_length and isinstance(self.x, Ragged)):
            return None
        lengths = self.x.lengths
        return lengths if self.index is None else lengths[self.index.cpu().numpy()]

    def to_device(self, x: Any = None) -> "Rows":
        """The rows with their features, or with ``x`` in their place, on the device."""
        x = self.x if x is None else x
        if isinstance(x, Tensor):
            x = x.to(self.device)
        return self if x is self.x else replace(self, x=x)

    @property
    def device(self) -> torch.device:
        """Where the targets are, and the batches will be."""
        return self.y.device

    def all(self) -> Batch:
        """Every row as one batch; without a copy of dense features, if unindexed."""
        x = self._densify(self.x) if self.index is None else self._gather(self.index)
        return Batch(x, self.y, self.weight)

    def take(self, rows: Tensor) -> Batch:
        """Some rows, by a tensor of row numbers."""
        where = rows if self.index is None else self.index.index_select(0, rows)
        weight = None if self.weight is None else self.weight.index_select(0, rows)
        return Batch(self._gather(where), self.y.index_select(0, rows), weight)

    def part(self, where: Tensor) -> "Rows":
        """Some rows as a part of their own; the features are shared."""
        index = where if self.index is None else self.index[where]
        weight = None if self.weight is None else self.weight[where]
        return replace(self, y=self.y[where], weight=weight, index=index)

    def in_order(self) -> Iterator[Batch]:
        """All rows in order, in chunks; for evaluation."""
        for part in self.parts():
            weight = None if self.weight is None else self.weight[part]
            yield Batch(self._features_of(part), self.y[part], weight)

    def epoch(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """The shuffled minibatches of one epoch; a full batch comes as it is.

        Parameters
        ----------
        batch_size : int
        generator : torch.Generator
            On the CPU, seeded for this epoch: it alone decides the order.
        """
        if batch_size >= len(self):
            yield self.all()
            return
        order = epoch_order(self, batch_size, generator).to(self.device)
        for start, stop in batch_bounds(len(self), batch_size):
            yield self.take(order[start:stop])

    def parts(self) -> list[slice]:
        """The chunks of ``in_order``."""
        return chunks(len(self), row_values(self.x) * 8)

    def _features_of(self, part: slice) -> Tensor | Padded:
        if self.index is None:
            return self._densify(self.x[part])
        return self._gather(self.index[part])

    def _gather(self, where: Tensor) -> Tensor | Padded:
        if isinstance(self.x, Ragged):
            return Padded.of(self.x, where.cpu().numpy(), self.device)
        return gather(self.x, where)

    def _densify(self, x: Any) -> Tensor | Padded:
        if isinstance(x, Ragged):
            return Padded.of(x, None, self.device)
        if not sp.issparse(x):
            return x
        return torch.from_numpy(x.toarray()).to(self.device)


def gather(x: Any, where: Tensor) -> Tensor:
    """Some rows of a tensor or CSR matrix as a dense tensor on the device of ``where``.

    Parameters
    ----------
    x : Tensor of shape (n_all, ...) or CSR matrix
    where : Tensor of shape (n_rows,)

    Returns
    -------
    Tensor of shape (n_rows, ...)
    """
    if sp.issparse(x):
        return torch.from_numpy(_dense_rows(x, where.cpu().numpy())).to(where.device)
    return x.index_select(0, where)


def _dense_rows(x: Any, rows: np.ndarray) -> np.ndarray:
    """Do what ``x[rows].toarray()`` does, in half the time for a minibatch."""
    if not x.has_canonical_format:  # duplicate entries are summed
        return x[rows].toarray()
    n_columns = x.shape[1]
    starts = x.indptr[rows].astype(np.int64)
    lengths = x.indptr[rows + 1] - starts
    ends = np.cumsum(lengths)
    stored = np.repeat(starts - ends + lengths, lengths)
    stored += np.arange(len(stored))
    places = np.repeat(np.arange(len(rows)) * n_columns, lengths)
    places += x.indices.take(stored)
    out = np.zeros(len(rows) * n_columns, x.dtype)
    out[places] = x.data.take(stored)
    return out.reshape(len(rows), n_columns)


def torch_dtype(x: Any) -> torch.dtype:
    """Dtype of the tensors that rows of these features become."""
    if isinstance(x, Tensor):
        return x.dtype
    return torch.from_numpy((x.data if sp.issparse(x) else x.values)[:0]).dtype


def _stays(x: Any) -> bool:
    """Whether features stay on the host, and come to the device a batch at a time."""
    return sp.issparse(x) or isinstance(x, Ragged)


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor over the array's own memory; a read-only array is copied."""
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def batch_bounds(n_rows: int, batch_size: int) -> list[tuple[int, int]]:
    """Where each batch of an epoch starts and ends.

    A single row that is left over joins the batch before it: alone it would be a
    step on pure noise, and batch normalisation cannot use it.
    """
    starts = list(range(0, n_rows, batch_size))
    if len(starts) > 1 and n_rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], n_rows], strict=True))


# Shuffled rows are sorted by length in pools of this many batches: larger pools need
# less padding, but their batches differ less from epoch to epoch.
_POOL = 4

# An epoch of fewer batches is only shuffled: its pools would hold most of the rows, and
# its batches would be nearly the same in every epoch.
_FEWEST = 4 * _POOL


def epoch_order(rows: Rows, batch_size: int, generator: torch.Generator) -> Tensor:
    """Row numbers in the order of an epoch."""
    n_rows, lengths = len(rows), rows.lengths
    if batch_size >= n_rows:
        return torch.arange(n_rows)
    order = torch.randperm(n_rows, generator=generator)
    few = n_rows // batch_size < _FEWEST
    if lengths is None or few or lengths.min() == lengths.max():
        return order
    return _pooled_by_length(order, lengths, batch_size, generator)


def _pooled_by_length(
    order: Tensor, lengths: np.ndarray, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Bring shuffled rows of about one length into one batch; batches stay shuffled."""
    n_full = len(order) // batch_size
    full = order[: n_full * batch_size].view(n_full, batch_size)
    batches: list[Tensor] = []
    for part in full.tensor_split(-(-n_full // _POOL)):
        pool = part.flatten()
        by_length = np.argsort(lengths[pool.numpy()], kind="stable")
        batches += pool[torch.from_numpy(by_length)].split(batch_size)
    places = torch.randperm(n_full, generator=generator).tolist()
    return torch.cat([*(batches[i] for i in places), order[n_full * batch_size :]])
