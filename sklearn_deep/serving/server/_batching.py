"""Requests that come within a few milliseconds, computed together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._specs import OutputSpec

Feeds = Mapping[str, np.ndarray]
# Outputs by name, and which rows are refused.
Answer = tuple[dict[str, np.ndarray], np.ndarray | None]
Selected = tuple[OutputSpec, ...]
Compute = Callable[[Served, Feeds, Selected], Awaitable[Answer]]


@dataclass
class _Batch:
    """Requests that wait for one another: of one model, outputs and row shape."""

    served: Served
    selected: Selected
    parts: list[tuple[Feeds, int, asyncio.Future]] = field(default_factory=list)
    n_rows: int = 0

    def add(self, feeds: Feeds, n_rows: int, future: asyncio.Future) -> None:
        self.parts.append((feeds, n_rows, future))
        self.n_rows += n_rows


class Batcher:
    """Collects requests, and gives each its rows of the common answer.

    Parameters
    ----------
    compute : callable
        Computes an answer of a model.
    seconds : float
        How long the first request waits.
    max_rows : int
        Rows at which a batch is computed at once.
    note : callable
        Takes the number of requests of each batch.
    """

    def __init__(
        self,
        compute: Compute,
        seconds: float,
        max_rows: int,
        note: Callable[[int], None],
    ) -> None:
        self._compute, self._note = compute, note
        self._seconds, self._max_rows = seconds, max_rows
        self._open: dict[tuple, _Batch] = {}
        self._running: set[asyncio.Task] = set()

    async def compute(self, served: Served, feeds: Feeds, selected: Selected) -> Answer:
        """Compute an answer together with others."""
        n_rows = len(next(iter(feeds.values())))
        key = self._key(served, feeds, selected)
        future = asyncio.get_running_loop().create_future()
        batch = self._open.get(key)
        if batch is not None and batch.n_rows + n_rows > self._max_rows:
            self._close(key, batch)
            batch = None
        if batch is None:
            batch = self._open[key] = _Batch(served, selected)
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds, self._close, key, batch)
        batch.add(feeds, n_rows, future)
        if batch.n_rows >= self._max_rows:
            self._close(key, batch)
        return await future

    @staticmethod
    def _key(served: Served, feeds: Feeds, selected: Selected) -> tuple:
        shapes = tuple(sorted((name, feed.shape[1:]) for name, feed in feeds.items()))
        return served.name, served.version, served.checksum, selected, shapes

    def _close(self, key: tuple, batch: _Batch) -> None:
        """Compute a batch, if that has not begun."""
        if self._open.get(key) is not batch:
            return
        del self._open[key]
        task = asyncio.get_running_loop().create_task(self._answer(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, batch: _Batch) -> None:
        self._note(len(batch.parts))
        if len(batch.parts) == 1:
            await self._answer_each(batch)
            return
        names = batch.parts[0][0]
        feeds = {
            name: np.concatenate([part[name] for part, *_ in batch.parts])
            for name in names
        }
        try:
            computed, refused = await self._compute(batch.served, feeds, batch.selected)
        except Exception:  # of one of them, maybe: the others must not suffer
            await self._answer_each(batch)
            return
        start = 0
        for _, n_rows, future in batch.parts:
            rows = slice(start, start + n_rows)
            start += n_rows
            if not future.done():
                mine = {name: array[rows] for name, array in computed.items()}
                future.set_result((mine, None if refused is None else refused[rows]))

    async def _answer_each(self, batch: _Batch) -> None:
        for feeds, _, future in batch.parts:
            try:
                answer = await self._compute(batch.served, feeds, batch.selected)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(answer)
