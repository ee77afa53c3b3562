"""Rows of a job that come as a stream, in place of ``Rows``."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, Rows, batch_bounds
from sklearn_deep.data._stacked_rows import StackedRows
from sklearn_deep.data.chunks._buffer import Block
from sklearn_deep.data.chunks._quality import ShuffleMeter
from sklearn_deep.data.chunks._stream import Stream
from sklearn_deep.exceptions import ShuffleWarning


@dataclass(frozen=True)
class StreamedRows(Rows):
    """Training rows of which only a sample is in memory.

    ``x``, ``y``, ``weight`` and ``index`` are those of the sample, and so is what
    ``take``, ``part``, ``all`` and ``in_order`` give; ``len`` and ``epoch`` are of all
    rows.

    Attributes
    ----------
    stream : Stream
    meter : ShuffleMeter
        It sees the batches of the first epoch.
    """

    stream: Any = None
    meter: Any = field(default=None, compare=False)

    @classmethod
    def of(cls, sample: Rows, stream: Stream, n_classes: int | None) -> "StreamedRows":
        """All rows of a stream, with a sample of them."""
        n_rows = stream.data.n_rows
        assert n_rows is not None
        meter = _Meter(ShuffleMeter(n_rows, n_classes), stream)
        stream.state.n_slots, stream.state.quality = stream.plan.n_slots, meter.quality
        return cls(
            sample.x,
            sample.y,
            sample.weight,
            sample.index,
            stream=stream,
            meter=meter,
        )

    def __len__(self) -> int:
        return self.stream.n_rows

    @property
    def sample(self) -> Rows:
        """The rows in memory."""
        return Rows(self.x, self.y, self.weight, self.index, self.by_length)

    def take(self, rows: Tensor) -> Batch:
        """Rows of the sample, spread over it as ``rows`` are over all."""
        n = self.y.shape[0]
        where = torch.div(rows * n, len(self), rounding_mode="floor")
        return super().take(where.clamp_max(n - 1))

    def all(self) -> Batch:
        """The sample as one batch."""
        return self.sample.all()

    def part(self, where: Tensor) -> Rows:
        """Some rows of the sample."""
        return self.sample.part(where)

    def parts(self) -> list[slice]:
        """The chunks of ``in_order``."""
        return self.sample.parts()

    def epoch(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        """The minibatches of one pass over the source.

        Parameters
        ----------
        batch_size : int
        generator : torch.Generator
            On the CPU, seeded for this epoch: it alone decides the order.
        """
        for block in self.stream.portions(batch_size, generator):
            for start, stop in batch_bounds(len(block), batch_size):
                part = block.part(start, stop)
                batch = self.to_batch(part)
                self.meter.add(batch, part.place)
                yield batch
        self.meter.end()

    def to_batch(self, block: Block) -> Batch:
        """Encoded rows on the device."""
        weight = None if block.weight is None else block.weight.to(self.device)
        return Batch(block.x.to(self.device), block.y.to(self.device), weight)

    def fingerprint_parts(self) -> tuple[Any, ...]:
        """What decides the batches of every epoch."""
        return self.sample, self.stream


class _Meter:
    """Sees the batches of one epoch, the first of a fit."""

    def __init__(self, meter: ShuffleMeter, stream: Stream):
        self._meter, self._stream, self._ended = meter, stream, False

    def add(self, batch: Batch, place: Tensor) -> None:
        """Note a batch of the first epoch."""
        if not self._ended:
            self._meter.add(batch, place)

    def end(self) -> None:
        """Note the end of an epoch; after the first one warn of what is mixed badly."""
        if not self._ended and self._meter.is_bad:
            warnings.warn(self._advice(), ShuffleWarning, stacklevel=2)
        self._ended = True

    def _advice(self) -> str:
        plan, data = self._stream.plan, self._stream.data
        quality = self.quality()["y"]
        return (
            f"The batches of {data.owner} do not represent all rows: shuffle_quality_ on y"
            f" is {quality:.2f}, where 1 is a random order, and networks learn the order of"
            f" the rows. {_REASONS[_reason(plan.shuffle, data.source.sizes)]}"
        )

    def quality(self) -> dict[str, float]:
        """The quality of the shuffling."""
        return self._meter.quality()


def _reason(shuffled: bool, sizes: Sequence[int] | None) -> str:
    if not shuffled:
        return "not shuffled"
    return "in order" if sizes is None else "few pieces"


_REASONS = {
    "not shuffled": "Set shuffle='buffer'.",
    "in order": (
        "The source can be read in its order only, and the buffer is small against it:"
        " raise buffer_rows, shuffle the rows where they are stored, or pass a source"
        " with pieces (a Parquet file, a dataset, a memory map, an array of Dask or zarr)."
    ),
    "few pieces": (
        "The source has few or large pieces against the buffer: write it with smaller row"
        " groups, partitions or chunks, raise buffer_rows, or shuffle the rows where they"
        " are stored."
    ),
}


class StreamedStack:
    """Batches of several networks that see one stream: each in an order of its own.

    Every network sees the rows of a portion in its own order, and the portions in one
    order.

    Parameters
    ----------
    parts : sequence of StreamedRows
        Of one stream; one per network.
    batch_size : int
    """

    def __init__(self, parts: Sequence[StreamedRows], batch_size: int):
        self._rows, self._n_nets = parts[0], len(parts)
        self._batch_size = batch_size

    def begin(self, generators: Sequence[torch.Generator]) -> None:
        """Begin an epoch.

        Parameters
        ----------
        generators : sequence of torch.Generator
            One per network, seeded for this epoch; the first one orders the portions.
        """
        self._generators = generators
        stream = self._rows.stream
        self._portions = stream.portions(self._batch_size, generators[0])
        self._start = self._stop = 0

    def batch(self, nets: slice, start: int, stop: int) -> Batch:
        """The rows from ``start`` to ``stop`` of this epoch, for some networks.

        Batches are asked for in order.
        """
        if start >= self._stop:
            self._next_portion()
        where = self._orders[nets, start - self._start : stop - self._start]
        block = self._portion.take(where.reshape(-1))
        if nets.start == 0:
            first = block.part(0, stop - start)
            self._rows.meter.add(self._rows.to_batch(first), first.place)
        if stop == len(self._rows):
            self._rows.meter.end()
            self._portions.close()
        whole = self._rows.to_batch(block)

        def by_net(tensor: Tensor) -> Tensor:
            return tensor.view(*where.shape, *tensor.shape[1:])

        weight = None if whole.weight is None else by_net(whole.weight)
        return Batch(by_net(whole.x), by_net(whole.y), weight)

    def _next_portion(self) -> None:
        self._portion = next(self._portions)
        n = len(self._portion)
        self._start, self._stop = self._stop, self._stop + n
        orders = [torch.randperm(n, generator=each) for each in self._generators]
        self._orders = torch.stack(orders)


def stacked_rows(parts: Sequence[Rows], batch_size: int) -> StackedRows | StreamedStack:
    """The rows of several networks, which may all come from one stream.

    Parameters
    ----------
    parts : sequence of Rows
        One per network.
    batch_size : int
    """
    streamed = [part for part in parts if isinstance(part, StreamedRows)]
    if streamed:
        return StreamedStack(streamed, batch_size)
    return StackedRows(parts)
