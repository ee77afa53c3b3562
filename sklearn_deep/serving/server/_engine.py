"""Computes for requests: a bounded number at once, a bounded number in a queue."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import onnxruntime

from sklearn_deep.serving.server._errors import (
    BadRequestError,
    BusyError,
    OverdueError,
    TooLargeError,
)
from sklearn_deep.serving.server._served import Served
from sklearn_deep.serving.server._settings import Settings, n_cores

_Result = TypeVar("_Result")


class Engine:
    """Runs models in threads.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.n_workers = settings.n_workers or n_cores()
        self._pool = ThreadPoolExecutor(self.n_workers, "sklearn_deep-serve")
        self._unfinished = 0

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
        self.check_rows(len(next(iter(feeds.values()))))
        selected = served.select_outputs(outputs)
        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            computed, refused = await self.call(
                lambda: served.compute(feeds, selected, options), stop
            )
        except ValueError as error:  # strings that are not valid Unicode
            raise BadRequestError(str(error)) from error
        served.check_refused(refused)
        return computed

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
        self._unfinished += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(function)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._note_end))
        return await self._within_time(future, stop)

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

    def _note_end(self) -> None:
        self._unfinished -= 1

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
