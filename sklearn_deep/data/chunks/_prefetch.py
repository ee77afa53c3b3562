"""Chunks that a thread reads ahead of the one that uses them."""

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import Any, NamedTuple

from sklearn import config_context, get_config

# Seconds after which a thread that waits looks whether it is still needed.
_LOOK = 0.05


class _Failed(NamedTuple):
    """What the reading thread raised."""

    error: BaseException


_END = object()


def prefetched(items: Iterable[Any], depth: int) -> Iterator[Any]:
    """The items, of which a thread reads up to ``depth`` ahead.

    The thread has ended when this iterator is exhausted, closed or dropped. What it raises
    is raised here. It has scikit-learn's configuration of the thread that asks.

    Parameters
    ----------
    items : iterable
    depth : int
        0 reads in the thread that asks.
    """
    if depth == 0:
        yield from items
        return
    reader = _Reader(items, depth)
    try:
        yield from reader.items()
    finally:
        reader.stop()


class _Reader:
    """A thread that puts items into a queue."""

    def __init__(self, items: Iterable[Any], depth: int):
        self._items, self._config = items, get_config()
        self._queue: Queue[Any] = Queue(depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="sklearn-deep-chunks", daemon=True
        )
        self._thread.start()

    def items(self) -> Iterator[Any]:
        """Take the items out of the queue."""
        while (item := self._queue.get()) is not _END:
            if isinstance(item, _Failed):
                raise item.error
            yield item

    def stop(self) -> None:
        """End the thread; a chunk that it is reading is read to its end."""
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=_LOOK)
            except Empty:
                continue
        self._thread.join()

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            with config_context(**self._config):
                for item in iterator:
                    if not self._put(item):
                        break
            last: Any = _END
        except BaseException as error:
            last = _Failed(error)
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
        self._put(last)

    def _put(self, item: Any) -> bool:
        """Whether the item was taken; False once nobody asks for it."""
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_LOOK)
            except Full:
                continue
            return True
        return False
