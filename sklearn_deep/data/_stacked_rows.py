"""Minibatches of a stack: each network's own rows, along a leading axis of networks."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sklearn_deep.data._batches import (
    Batch,
    Rows,
    batch_bounds,
    gather,
    torch_dtype,
)
from sklearn_deep.data._padded import Padded
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._rows import chunks, row_values

_SAMPLE = 64

# Adjacent networks of a stack, and the first row and the end of their batch.
Group = tuple[slice, int, int]


def shared_features(features: Sequence[Any]) -> list[Any]:
    """Replace features of equal content by one object, which is stored and read once.

    The folds of a search come as one array per task: each configuration has its own copy
    of the same rows.

    Parameters
    ----------
    features : sequence of Tensor, CSR matrix or Ragged
    """
    seen: dict[tuple, list[Any]] = {}
    result = []
    for x in features:
        alike = seen.setdefault((x.shape, x.dtype, sample(x)), [])
        for other in alike:
            if _equal(other, x):
                result.append(other)
                break
        else:
            alike.append(x)
            result.append(x)
    return result


def sample(x: Any) -> tuple[float, ...]:
    """A sample of the values; features of equal content have equal samples."""
    values = _values(x).reshape(-1)
    return tuple(values[:: max(1, values.numel() // _SAMPLE)].tolist())


def _values(x: Any) -> Tensor:
    if isinstance(x, Ragged):
        return torch.from_numpy(x.values)
    return torch.from_numpy(x.data) if sp.issparse(x) else x


# The arrays of features that are no tensor.
_PARTS = {True: ("indptr", "indices", "data"), False: ("offsets", "values")}


def _equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        return one.data_ptr() == other.data_ptr() or torch.equal(one, other)
    names = _PARTS[sp.issparse(one)]
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return all(a is b or np.array_equal(a, b) for a, b in pairs)


def plan_steps(sizes: Sequence[int], batch_size: int) -> list[list[Group]]:
    """Plan the steps of an epoch, for networks with these numbers of rows.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each network, from the most to the fewest.
    batch_size : int

    Returns
    -------
    list of list of (nets, start, stop)
        One list per step: adjacent networks with batches of equal size step together.
        Those that have further steps to take come last.
    """
    bounds = [batch_bounds(size, batch_size) for size in sizes]
    steps = []
    for i in range(max(map(len, bounds))):
        groups: list[Group] = []
        for k, own in enumerate(bounds):
            if i >= len(own):
                break
            if groups and groups[-1][1:] == own[i]:
                groups[-1] = slice(groups[-1][0].start, k + 1), *own[i]
            else:
                groups.append((slice(k, k + 1), *own[i]))
        steps.append(groups[::-1])
    return steps


def _joint_weight(parts: Sequence[Rows]) -> Tensor | None:
    """Weights of the rows of all parts; ones where some parts have none."""
    if all(part.weight is None for part in parts):
        return None
    like = next(part.weight for part in parts if part.weight is not None)
    weights = [
        like.new_ones(len(part)) if part.weight is None else part.weight
        for part in parts
    ]
    return torch.cat(weights)


class StackedRows:
    """The rows of several networks, which may share their features.

    Networks that take the same rows at the same time, such as the candidates of a search
    with one ``random_state``, share one gathered batch.

    Parameters
    ----------
    parts : sequence of Rows
        Dense, CSR or sequences, with targets on one device.
    """

    def __init__(self, parts: Sequence[Rows]):
        self._sizes = [len(part) for part in parts]
        self._starts = np.cumsum([0, *self._sizes[:-1]]).tolist()
        self._features = [part.x for part in parts]
        self._dtype = torch_dtype(parts[0].x)
        self._y = torch.cat([part.y for part in parts])
        self.device = self._y.device
        self._weight = _joint_weight(parts)
        indices = [
            torch.arange(len(part), device=self.device)
            if part.index is None
            else part.index
            for part in parts
        ]
        self._index = torch.cat(indices)
        # Whether a network's rows are those of the network before it.
        self._as_before = [False] + [
            x is before and torch.equal(index, index_before)
            for x, before, index, index_before in zip(
                self._features[1:],
                self._features,
                indices[1:],
                indices,
                strict=False,
            )
        ]
        orders = {size: torch.arange(size) for size in self._sizes}
        self.put_in_order([orders[size] for size in self._sizes])

    def put_in_order(self, orders: Sequence[Tensor]) -> None:
        """Set the order of each network's rows.

        Parameters
        ----------
        orders : sequence of Tensor
            On the CPU; one object for networks that take the same order.
        """
        places = torch.zeros(len(orders), max(self._sizes), dtype=torch.int64)
        for row, order, start in zip(places, orders, self._starts, strict=True):
            torch.add(order, start, out=row[: len(order)])
        self._places = places.to(self.device)
        self._where = self._index[self._places]
        same_order = [False] + [a is b for a, b in pairwise(orders)]
        self._twins = [
            rows and order
            for rows, order in zip(self._as_before, same_order, strict=True)
        ]
        self._sources: dict[tuple[int, int], _Source] = {}

    def batch(self, nets: slice, start: int, stop: int) -> Batch:
        """The rows from ``start`` to ``stop``, in the current order, of some networks.

        Returns
        -------
        Batch
            ``x`` of shape (n_nets, n_batch, ...), padded where its rows are sequences,
            and targets and weights likewise. Where all networks take the same rows, ``x``
            is an expanded view: read only.
        """
        places = self._places[nets, start:stop]
        shape, flat = places.shape, places.reshape(-1)
        y = self._y.index_select(0, flat)
        weight = None
        if self._weight is not None:
            weight = self._weight.index_select(0, flat).view(shape)
        x = self._gather(nets, self._where[nets, start:stop])
        return Batch(x, y.view(*shape, *y.shape[1:]), weight)

    def in_order(self) -> Iterator[Batch]:
        """All rows of all networks, in chunks; all have equal numbers of rows."""
        everyone = slice(0, len(self._sizes))
        width = max(map(row_values, self._features)) * len(self._sizes)
        for part in chunks(self._sizes[0], width * 8):
            yield self.batch(everyone, part.start, part.stop)

    def _gather(self, nets: slice, where: Tensor) -> Tensor | Padded:
        if isinstance(self._features[nets.start], Ragged):
            features = self._features[nets]
            return Padded.together(features, where.cpu().numpy(), self.device)
        key = nets.start, nets.stop
        if key not in self._sources:
            self._sources[key] = _Source.of(self._features[nets], self._twins[nets])
        source = self._sources[key]
        x = self._gather_distinct(source, where)
        if len(source.first) == 1:
            return x.expand(len(where), *x.shape[1:])
        if len(source.first) == len(where):
            return x
        return x[source.of_net]

    def _gather_distinct(self, source: "_Source", where: Tensor) -> Tensor:
        """Gather rows once for each group of networks that use the same rows."""
        if len(source.first) < len(where):
            where = where[source.first]
        first = source.runs[0][0]
        shape = *where.shape, *first.shape[1:]
        if len(source.runs) == 1:
            return gather(first, where.reshape(-1)).view(shape)
        out = torch.empty(shape, dtype=self._dtype, device=self.device)
        for x, start, stop in source.runs:
            rows = where[start:stop].reshape(-1)
            place = out[start:stop].view(len(rows), *first.shape[1:])
            if isinstance(x, Tensor):
                torch.index_select(x, 0, rows, out=place)
            else:
                place.copy_(gather(x, rows))
        return out


class _Source(NamedTuple):
    """The sources of a batch of adjacent networks.

    Attributes
    ----------
    first : list of int
        The first network of each group that uses the same rows.
    of_net : list of int
        The group of each network.
    runs : list of (features, start, stop)
        Adjacent groups whose rows are of one array.
    """

    first: list[int]
    of_net: list[int]
    runs: list[tuple[Any, int, int]]

    @classmethod
    def of(cls, features: Sequence[Any], twins: Sequence[bool]) -> "_Source":
        first = [k for k, twin in enumerate(twins) if k == 0 or not twin]
        of_net = [sum(start <= k for start in first) - 1 for k in range(len(features))]
        runs: list[tuple[Any, int, int]] = []
        for i, x in enumerate(features[k] for k in first):
            if runs and runs[-1][0] is x:
                runs[-1] = x, runs[-1][1], i + 1
            else:
                runs.append((x, i, i + 1))
        return cls(first, of_net, runs)
