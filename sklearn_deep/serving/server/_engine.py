"""Computes for requests: a bounded number at once, a bounded number in a queue."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import onnxruntime

from sklearn_deep.serving.server._batching import Answer, Batcher, Compute, Feeds
from sklearn_deep.serving.server._errors import (
    BadRequestError,
    BusyError,
    OverdueError,
    TooLargeError,
)
from sklearn_deep.serving.server._metrics import Metrics
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._settings import Settings, n_cores
from sklearn_deep.serving.server._specs import OutputSpec

_Result = TypeVar("_Result")

# Bytes that are parsed or written where the request is read: below a millisecond.
_LIGHT = 2**16


class Engine:
    """Runs models: quick ones at once, others in threads.

    Parameters
    ----------
    settings : Settings
    metrics : Metrics
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.n_workers = settings.n_workers or n_cores()
        self._pool = ThreadPoolExecutor(self.n_workers, "sklearn_deep-serve")
        self._unfinished = 0
        self._compute: Compute = self._compute_alone
        if settings.batch_window_ms > 0:
            seconds = settings.batch_window_ms / 1000
            rows, note = settings.batch_rows, metrics.note_batch
            self._compute = Batcher(self._compute_alone, seconds, rows, note).compute

    async def infer(
        self,
        served: Served,
        feeds: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None,
    ) -> dict[str, np.ndarray]:
        """Compute outputs from the input arrays of the graph.

        Raises
        ------
        RequestError
        """
        n_rows = len(next(iter(feeds.values())))
        self.check_rows(n_rows)
        selected = served.select_outputs(outputs)
        try:
            computed, refused = await self._compute(served, feeds, selected)
        except ValueError as error:  # strings that are not valid Unicode
            raise BadRequestError(str(error)) from error
        served.check_refused(refused)
        self.metrics.note_rows(served.name, n_rows)
        return computed

    async def _compute_alone(
        self, served: Served, feeds: Feeds, selected: tuple[OutputSpec, ...]
    ) -> Answer:
        if served.cost.is_quick(len(next(iter(feeds.values())))):
            return served.compute(feeds, selected)
        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        return await self.call(lambda: served.compute(feeds, selected, options), stop)

    async def light(self, size: int, function: Callable[[], _Result]) -> _Result:
        """Run a function here for a few bytes, and in a thread for many."""
        return function() if size < _LIGHT else await self.call(function)

    async def call(
        self, function: Callable[[], _Result], stop: Callable[[], None] | None = None
    ) -> _Result:
        """Run a function in a thread.

        Parameters
        ----------
        function : callable
        stop : callable, optional
            What ends the function early, called when its time is over.

        Raises
        ------
        BusyError
            If too many others wait.
        OverdueError
            If it takes too long.
        """
        if self._unfinished >= self.n_workers + self.settings.max_queue:
            raise BusyError("Too many requests wait. Send it again later.")
        self._count(1)
        loop = asyncio.get_running_loop()
        future = self._pool.submit(function)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._count, -1))
        return await self._within_time(future, stop)

    def _count(self, change: int) -> None:
        self._unfinished += change
        self.metrics.queue.set(self._unfinished)

    async def _within_time(
        self, future: Future[_Result], stop: Callable[[], None] | None
    ) -> _Result:
        seconds = self.settings.timeout
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise OverdueError(
                f"The request was not computed within {seconds:g} seconds."
            ) from None
        finally:
            if not future.done() and stop is not None:
                stop()

    def check_rows(self, n_rows: int) -> None:
        """Raise if a request has too many rows.

        Raises
        ------
        TooLargeError
        """
        if n_rows > self.settings.max_rows:
            raise TooLargeError(
                f"The request has {n_rows} rows; {self.settings.max_rows} are allowed. Send"
                " them in several requests."
            )

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
