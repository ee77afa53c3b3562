"""What the server listens on, and what a request may cost."""

import os
from dataclasses import dataclass
from typing import Any

MEGABYTE = 2**20


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """Addresses and limits of a server.

    Parameters
    ----------
    host : str
        Address to listen on; the default is reached from this machine only.
    port, grpc_port : int
        0 lets the system choose; ``grpc_port=None`` starts no gRPC.
    tls_cert, tls_key : str, optional
        Files of the certificate chain and its key, in PEM.
    token : str, optional
        What clients have to send as ``Authorization: Bearer TOKEN``.
    max_body : int
        Bytes of a request.
    max_rows : int
        Rows of a request.
    max_queue : int
        Requests that wait for a worker; further ones get 429.
    max_connections : int
        Open connections.
    timeout : float
        Seconds until a request gets 504, or 408 while its body is still missing.
    drain : float
        Seconds that open requests get after SIGTERM.
    n_workers : int, optional
        Requests that are computed at once; None takes the number of cores.
    n_threads : int
        Threads of one request.
    batch_window_ms : float
        Milliseconds that a request may wait for others to be computed with; 0 computes
        each alone.
    batch_rows : int
        Rows that are computed together at most.
    reload_seconds : float
        Seconds between two looks at the files; 0 never looks again.
    access_log : bool
        Whether each request is logged as a line of JSON on stderr.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    token: str | None = None
    max_body: int = 32 * MEGABYTE
    max_rows: int = 100_000
    max_queue: int = 256
    max_connections: int = 1024
    timeout: float = 30.0
    drain: float = 10.0
    n_workers: int | None = None
    n_threads: int = 1
    batch_window_ms: float = 0.0
    batch_rows: int = 1024
    reload_seconds: float = 2.0
    access_log: bool = True

    def __repr__(self) -> str:
        """Hide the token."""
        shown = {**vars(self), "token": None if self.token is None else "..."}
        return f"Settings({', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    def as_arguments(self) -> dict[str, Any]:
        """Every field by name, to make settings that differ in some."""
        return dict(vars(self))
