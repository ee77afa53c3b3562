"""One line of JSON for each request, written by a thread of its own.

Nobody may read what is written, and then a write waits for ever: requests must not.
"""

import json
import threading
from collections import deque
from typing import Any, TextIO

_SECONDS = 0.2  # between two writes
_MAX_LINES = 100_000  # that wait for a write; the oldest go first


class AccessLog:
    """Writes entries to a stream.

    Parameters
    ----------
    stream : text file, optional
        None writes nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._entries: deque[dict[str, Any]] = deque(maxlen=_MAX_LINES)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        if stream is not None:
            self._thread.start()

    def note(self, **entry: Any) -> None:
        """Append an entry; it is written soon."""
        if self._stream is not None:
            self._entries.append(entry)

    def close(self) -> None:
        """Write what waits; give up if nobody reads it."""
        self._closed.set()
        if self._stream is not None:
            self._thread.join(timeout=1)

    def _write(self) -> None:
        while not self._closed.wait(_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines = []
        while self._entries:
            lines.append(json.dumps(self._entries.popleft()) + "\n")
        if lines and self._stream is not None:
            self._stream.write("".join(lines))
            self._stream.flush()
