"""What a cut costs for a row: time on the client, on the way, and on the server."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_deep._params import Number, Rules, check_value
from sklearn_deep.export.graph._runtime import open_session
from sklearn_deep.export.halves._cuts import Feeds

# Runs are timed for at least so many seconds and calls.
_SECONDS, _FEWEST = 0.01, 5


@dataclass(frozen=True)
class Link:
    """How fast client, server and the way between them are.

    Attributes
    ----------
    bandwidth : float
        Bytes per second from the client to the server.
    latency : float
        Seconds from a request to its answer, without computation and transfer.
    client_factor, server_factor : float
        How many times slower than this machine the client and the server are.
    """

    bandwidth: float
    latency: float
    client_factor: float
    server_factor: float

    def check(self, owner: str) -> None:
        """Raise InvalidParameterError for a value that is not allowed."""
        for name, allowed in _RULES.items():
            check_value(owner, name, getattr(self, name), allowed)

    def total(self, client_us: float, row_bytes: float, server_us: float) -> float:
        """Microseconds until a row has its answer."""
        way = self.latency + row_bytes / self.bandwidth
        return (
            self.client_factor * client_us + way * 1e6 + self.server_factor * server_us
        )


_RULES: Rules = {
    "bandwidth": (Number(low=0, open_low=True),),
    "latency": (Number(low=0),),
    "client_factor": (Number(low=0),),
    "server_factor": (Number(low=0),),
}


def one_row(feeds: Feeds) -> dict[str, np.ndarray]:
    """Inputs for the first row."""
    return {name: rows[:1] for name, rows in feeds.items()}


def input_bytes(feeds: Feeds) -> int:
    """Bytes of the inputs for the first row; a string has 4 for its length."""
    return sum(map(_array_bytes, one_row(feeds).values()))


def _array_bytes(array: np.ndarray) -> int:
    if array.dtype.kind == "O":
        return sum(4 + len(str(value).encode()) for value in array.ravel())
    return array.nbytes


def run_timed(proto: Any, feeds: Feeds) -> tuple[dict[str, Any], float]:
    """Outputs of a graph, and the median time of a run in microseconds."""
    session = open_session(proto.SerializeToString())
    names = [info.name for info in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, dict(feeds)), strict=True))
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < _FEWEST or time.perf_counter() - begin < _SECONDS:
        start = time.perf_counter()
        session.run(names, dict(feeds))
        times.append(time.perf_counter() - start)
    return outputs, statistics.median(times) * 1e6
