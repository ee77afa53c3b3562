"""Ranks that a fit starts itself: processes that wait for jobs until this one ends.

This process is the first rank. The others are plain children: a script needs no
``if __name__ == "__main__"``, as nothing of it runs in them.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
import torch.distributed as dist

from sklearn_deep.exceptions import RankLostError
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.ranks._group import (
    LOOPBACK,
    Membership,
    begin_group,
    leave_group,
    using,
)
from sklearn_deep.training.ranks._parcel import numbered, write_job
from sklearn_deep.training.ranks._ranks import Ranks

# Seconds in which a child has to start; it imports torch.
_START = 120.0

# Seconds for a child to end by itself before it is killed.
_END = 2.0

_SHARED_MEMORY = "/dev/shm"


class Pool:
    """The other ranks of this process.

    Parameters
    ----------
    kind : str
        Type of the device: "cpu" or "cuda".
    size : int
        Number of ranks, with this one.
    """

    def __init__(self, kind: str, size: int):
        self.kind, self.size, self._owner = kind, size, os.getpid()
        self._folder = Path(tempfile.mkdtemp(prefix="sklearn_deep_", dir=_memory()))
        self._folders = numbered(self._folder)
        self._children: list[subprocess.Popen] = []
        atexit.register(self.stop)
        try:
            self._children = [self._child(rank) for rank in range(1, size)]
            self._wait_for_start()
            self.ranks = begin_group(0, size, self._folder / "store", kind)
        except BaseException:
            self.stop()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether all ranks are there, and this process is the one that started them."""
        here = self._owner == os.getpid() and self.ranks.lost is None
        return here and all(child.poll() is None for child in self._children)

    def send(self, job: TrainJob) -> Path:
        """Let the other ranks train a job; return the folder with its files."""
        folder = next(self._folders)
        write_job(job, folder)
        for child in self._children:
            assert child.stdin is not None
            with suppress(OSError):  # it has ended: the first message says so
                child.stdin.write(f"{folder}\n".encode())
                child.stdin.flush()
        return folder

    def stop(self) -> None:
        """End the other ranks, and remove what was written for them."""
        if self._owner != os.getpid():
            return
        atexit.unregister(self.stop)
        if hasattr(self, "ranks"):
            leave_group(self.ranks)
        for child in self._children:
            with suppress(OSError):
                child.stdin.close()  # type: ignore[union-attr]
        for child in self._children:
            try:
                child.wait(_END)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _child(self, rank: int) -> subprocess.Popen:
        threads = max(1, torch.get_num_threads() // self.size)
        settings = {
            "rank": rank,
            "size": self.size,
            "kind": self.kind,
            "folder": str(self._folder),
            "path": sys.path,
        }
        code = "from sklearn_deep.training._child import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", _FIND + code, json.dumps(settings)],
            stdin=subprocess.PIPE,
            env={**os.environ, **LOOPBACK, "OMP_NUM_THREADS": str(threads)},
        )

    def _wait_for_start(self) -> None:
        limit = time.monotonic() + _START
        waiting = dict(enumerate(self._children, start=1))
        while waiting:
            for rank, child in list(waiting.items()):
                if (self._folder / f"ready.{rank}").exists():
                    del waiting[rank]
                elif child.poll() is not None or time.monotonic() > limit:
                    raise RankLostError(
                        f"Process {rank} of device='{self.kind}*{self.size}' did not"
                        f" start (exit code {child.poll()}); its output says why. Set"
                        f" device={self.kind!r} to train in this process alone."
                    )
            time.sleep(0.01)


# Modules are found as they are here, before anything else is imported.
_FIND = "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path']; "


class _Here:
    pool: Pool | None = None


@contextmanager
def started_ranks(job: TrainJob) -> Iterator[Ranks]:
    """Ranks that train a job with this process, which is the first of them.

    Raises
    ------
    RankLostError
        Where one does not start or is lost.
    """
    pool = _pool_of(job)
    folder = pool.send(job)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // pool.size))
    try:
        with using(pool.ranks, Membership.STARTED):
            yield pool.ranks
    except BaseException as error:
        if isinstance(error, Exception):
            pool.ranks.fail()
        if pool.ranks.lost is not None or not isinstance(error, Exception):
            said = _said(folder)
            _Here.pool = None
            pool.stop()
            if isinstance(error, RankLostError) and said:
                raise RankLostError(f"{error} It said: {said}") from error
        raise
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(folder, ignore_errors=True)


def _pool_of(job: TrainJob) -> Pool:
    """The ranks that there are, if they fit, or new ones."""
    kind, pool = job.rows.device.type, _Here.pool
    fits = pool is not None and (pool.kind, pool.size) == (kind, job.n_ranks)
    if pool is not None and not (fits and pool.is_alive):
        pool.stop()
        _Here.pool = pool = None
    if pool is None:
        if dist.is_initialized():
            raise RankLostError(
                f"device='{kind}*{job.n_ranks}' starts processes, and this one belongs to a"
                f" process group already. Set device={kind!r}: fit uses the group."
            )
        _Here.pool = pool = Pool(kind, job.n_ranks)
    return pool


def _said(folder: Path) -> str:
    """Errors of other ranks, for the error of this one."""
    time.sleep(0.2)  # they notice at the same time
    texts = [path.read_text() for path in sorted(folder.glob("error.*"))]
    return " ".join(texts)


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
