"""Minibatches of many jobs at once: each network's own rows, one network behind the other."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, Rows, batch_bounds
from sklearn_deep.data._rows import chunks

_SAMPLE = 64

# Neighbours in a stack, and the first row and the end of their batch.
Group = tuple[slice, int, int]


def shared_features(features: Sequence[Tensor]) -> list[Tensor]:
    """Give arrays of equal content as one, so that it is held and read once.

    The folds of a search come as an array a task: each configuration has its own copy of
    the same rows.
    """
    seen: dict[tuple, list[Tensor]] = {}
    result = []
    for x in features:
        some = x.reshape(-1)[:: max(1, x.numel() // _SAMPLE)]
        alike = seen.setdefault((x.shape, x.dtype, tuple(some.tolist())), [])
        for other in alike:
            if other.data_ptr() == x.data_ptr() or torch.equal(other, x):
                result.append(other)
                break
        else:
            alike.append(x)
            result.append(x)
    return result


def lockstep(sizes: Sequence[int], batch_size: int) -> list[list[Group]]:
    """What networks with so many rows do in each step of an epoch.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each network, from the most to the fewest.
    batch_size : int

    Returns
    -------
    list of list of (nets, start, stop)
        A list a step: neighbours whose batches are of one size step together. Those that
        have further steps to take come last.
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


class RowsTogether:
    """The rows of some networks; features may be the same array for several.

    Parameters
    ----------
    parts : sequence of Rows
        Dense, and on one device.
    """

    def __init__(self, parts: Sequence[Rows]):
        self._sizes = [len(part) for part in parts]
        self._starts = np.cumsum([0, *self._sizes[:-1]]).tolist()
        self._features = [part.x for part in parts]
        self._y = torch.cat([part.y for part in parts])
        self.device = self._y.device
        self._weight: Tensor | None = None
        if any(part.weight is not None for part in parts):
            weights = [
                torch.ones(len(part), dtype=part.x.dtype, device=self.device)
                if part.weight is None
                else part.weight
                for part in parts
            ]
            self._weight = torch.cat(weights)
        self._index = torch.cat(
            [
                torch.arange(len(part), device=self.device)
                if part.index is None
                else part.index
                for part in parts
            ]
        )
        self.put_in_order([torch.arange(size) for size in self._sizes])

    def put_in_order(self, orders: Sequence[Tensor]) -> None:
        """Take each network's rows in this order from now on; tensors on the CPU."""
        places = torch.zeros(len(orders), max(self._sizes), dtype=torch.int64)
        for row, order, start in zip(places, orders, self._starts, strict=True):
            torch.add(order, start, out=row[: len(order)])
        self._places = places.to(self.device)
        self._where = self._index[self._places]

    def batch(self, nets: slice, start: int, stop: int) -> Batch:
        """The rows from ``start`` to ``stop`` of some networks.

        Returns
        -------
        Batch
            ``x`` of shape (n_nets, n_batch, ...), and targets and weights likewise.
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
        """All rows of all networks, which have as many each, in chunks."""
        everyone = slice(0, len(self._sizes))
        width = int(np.prod(self._features[0].shape[1:])) * len(self._sizes)
        for part in chunks(self._sizes[0], width * 8):
            yield self.batch(everyone, part.start, part.stop)

    def _gather(self, nets: slice, where: Tensor) -> Tensor:
        features = self._features[nets]
        first = features[0]
        if all(x is first for x in features):
            x = first.index_select(0, where.reshape(-1))
            return x.view(*where.shape, *first.shape[1:])
        out = first.new_empty(*where.shape, *first.shape[1:])
        start = 0
        while start < len(features):
            stop = start + 1
            while stop < len(features) and features[stop] is features[start]:
                stop += 1
            rows = where[start:stop].reshape(-1)
            place = out[start:stop].view(len(rows), *first.shape[1:])
            torch.index_select(features[start], 0, rows, out=place)
            start = stop
        return out
