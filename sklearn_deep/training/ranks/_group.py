"""The ranks that train one fit together: processes of one ``torch.distributed`` group.

There is one process group for the life of a process: the user's own, or one from the
variables that ``torchrun`` sets.
"""

import atexit
import enum
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from sklearn_deep.exceptions import RankLostError
from sklearn_deep.training.ranks._ranks import Ranks

T = TypeVar("T")

# Variables that torchrun sets.
_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

# Between two steps ranks are at most this far apart; one that takes longer is lost. A
# process that was killed is noticed at once, by its closed connection.
_PROMPT = timedelta(seconds=30)

# Ranks whose fit fails alike do so at about the same time.
_VERDICT = timedelta(seconds=10)

# Before a fit, a rank may still read its data, and between epochs the first one may store
# a state or compute a score.
_PATIENT = timedelta(minutes=30)


# Interfaces on which processes of one machine find one another, and nobody else them.
_INTERFACE = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
LOOPBACK: dict[str, str] = (
    {}
    if _INTERFACE is None
    else {"GLOO_SOCKET_IFNAME": _INTERFACE, "NCCL_SOCKET_IFNAME": _INTERFACE}
)


class Membership(enum.Enum):
    """How a process came to its ranks."""

    GIVEN = "by torchrun, or the user's own process group"
    STARTED = "by a fit that started the others"


class _Here:
    """What this process knows of its ranks."""

    ranks: Ranks | None = None
    world: Any = None  # the group that they were made of
    membership = Membership.GIVEN
    forked = False  # a fork has the memory of a rank, and none of its connections


def current_ranks() -> Ranks | None:
    """The ranks that train together; None where this process or thread trains alone.

    Raises
    ------
    RankLostError
        Where an earlier fit has lost a rank, or the ranks do not find one another.
    """
    if _Here.forked or threading.current_thread() is not threading.main_thread():
        return None  # messages of two threads would get mixed up
    if _Here.membership is Membership.STARTED:
        return _Here.ranks  # within one fit
    if not (dist.is_available() and (dist.is_initialized() or _begins())):
        return None
    if dist.group.WORLD is _started.world:
        return None  # between two fits
    if _Here.world is not dist.group.WORLD:
        _Here.world, _Here.ranks = dist.group.WORLD, _of_group()
    if _Here.ranks is not None:
        _Here.ranks.check()
    return _Here.ranks


def may_start() -> bool:
    """Whether a fit in this thread may start ranks."""
    if _Here.forked or threading.current_thread() is not threading.main_thread():
        return False
    return dist.is_available()


def begin_group(rank: int, size: int, store: Path, kind: str) -> Ranks:
    """Join the ranks that one process has started, which meet at a file."""
    _started.before = {name: os.environ.get(name) for name in LOOPBACK}
    os.environ.update(LOOPBACK)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo",
            store=dist.FileStore(str(store), size),
            rank=rank,
            world_size=size,
            timeout=_PATIENT,
        )
        _started.world = dist.group.WORLD
        ranks = _of_group()
    finally:
        for name, value in _started.before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    assert ranks is not None
    return ranks


def leave_group(ranks: Ranks) -> None:
    """Leave the ranks that this process has started."""
    ranks.close()
    _started.world = None
    if dist.is_initialized():
        with suppress(Exception):
            dist.destroy_process_group()


class _Started:
    """The process group of ranks that one process has started."""

    world: Any = None
    before: dict[str, str | None] = {}


_started = _Started()


@contextmanager
def using(ranks: Ranks, membership: Membership) -> Iterator[None]:
    """Let what trains within use some ranks."""
    before = _Here.ranks, _Here.membership
    _Here.ranks, _Here.membership = ranks, membership
    try:
        yield
    finally:
        _Here.ranks, _Here.membership = before


def agreed(value: T) -> T:
    """A value that can be pickled, as the first rank has it; alone the value itself."""
    ranks = current_ranks()
    return value if ranks is None else ranks.of_first(value)


@contextmanager
def failing_together() -> Iterator[None]:
    """Let the other ranks know where the fit of one fails, and theirs does not.

    Invalid input raises on all ranks alike, and they can go on with another fit. Where one
    fails by itself the others would wait for it: it closes its connections.
    """
    ranks = current_ranks()
    try:
        yield
    except Exception:  # of any kind: it is told and raised again
        if ranks is not None:
            ranks.fail()
        raise
    except BaseException:  # the process is about to end
        if ranks is not None:
            ranks.close()
        raise


def is_rank() -> bool:
    """Whether this process is one of several ranks."""
    return _Here.ranks is not None and not _Here.forked


def _begins() -> bool:
    """Begin a process group where torchrun has started this process."""
    if int(os.environ.get("WORLD_SIZE") or 1) < 2:
        return False
    if not all(map(os.environ.get, _VARIABLES)):
        return False
    if multiprocessing.current_process().name != "MainProcess":
        return False  # a worker of joblib has the variables of the rank that started it
    several = torch.cuda.is_available()
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if several else "gloo", timeout=_PATIENT
        )
    except Exception as error:
        given = ", ".join(f"{name}={os.environ[name]}" for name in _VARIABLES)
        raise RankLostError(
            f"The ranks did not find one another ({given}): {error}. Start the script by"
            " torchrun, or unset these variables to train in one process."
        ) from error
    return True


def _of_group() -> Ranks | None:
    """The ranks of the process group that there is."""
    if dist.get_world_size() < 2:
        return None
    prompt = dist.new_group(timeout=_PROMPT)
    patient = dist.new_group(backend="gloo", timeout=_PATIENT)
    verdict = dist.new_group(backend="gloo", timeout=_VERDICT)
    atexit.register(_end)
    return Ranks(dist.get_rank(), dist.get_world_size(), prompt, patient, verdict)


def _end() -> None:
    """Close the connections: a process that ends with open ones aborts."""
    if _Here.forked:
        return
    if _Here.ranks is not None:
        _Here.ranks.close()
    if dist.is_initialized():
        with suppress(Exception):
            dist.destroy_process_group()


def _forget() -> None:
    _Here.forked = _Here.forked or dist.is_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
