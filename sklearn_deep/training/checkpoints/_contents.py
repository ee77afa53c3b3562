"""Digests of the contents of arrays; those of large ones are computed once a search."""

import hashlib
import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Arrays of fewer bytes are read again: that takes less than a millisecond.
_LARGE = 1 << 20

# Arrays are read in pieces of so many bytes, by so many threads. A core computes 1.8 GB/s
# where it has instructions for SHA-256.
_PIECE = 1 << 23
_THREADS = 4

# Large arrays that are remembered. A search has one or two that its fits share; copies of
# folds, which one fit alone uses, push one another out.
_REMEMBERED = 4


class Contents:
    """Digests of the contents of arrays, for one search or one fit.

    It must not outlive the search: an array may be changed after that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: OrderedDict[tuple, _Digest] = OrderedDict()

    def of(self, array: np.ndarray | Tensor) -> bytes:
        """Digest of the values, of numbers in C order, wherever they are stored."""
        if array.nbytes < _LARGE:
            return _digest(array)
        place = _place(array)
        with self._lock:
            entry = self._digests.setdefault(place, _Digest(array))
            self._digests.move_to_end(place)
            while len(self._digests) > _REMEMBERED:
                self._digests.popitem(last=False)
        return entry.get()


class _Digest:
    """The digest of one array, computed by the first thread that asks for it.

    It holds the array, whose memory is not used for another one as long as it does.
    """

    def __init__(self, array: np.ndarray | Tensor):
        self._array, self._lock = array, threading.Lock()
        self._digest: bytes | None = None

    def get(self) -> bytes:
        with self._lock:
            if self._digest is None:
                self._digest = _digest(self._array)
            return self._digest


def _place(array: Any) -> tuple:
    """What is equal for two arrays over the same memory, as long as both exist."""
    if isinstance(array, Tensor):
        where = array.data_ptr(), str(array.device), array.stride()
    else:
        where = array.ctypes.data, "numpy", array.strides
    return (*where, tuple(array.shape), str(array.dtype))


def _digest(array: np.ndarray | Tensor) -> bytes:
    """SHA-256 of the values; of large arrays that of their pieces, by several threads."""
    values = _bytes_of(array)
    if len(values) <= _PIECE:
        return hashlib.sha256(values).digest()
    pieces = [values[i : i + _PIECE] for i in range(0, len(values), _PIECE)]
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        each = threads.map(lambda piece: hashlib.sha256(piece).digest(), pieces)
        return hashlib.sha256(b"".join(each)).digest()


def _bytes_of(array: np.ndarray | Tensor) -> memoryview:
    if isinstance(array, Tensor):
        flat = array.detach().cpu().resolve_conj().resolve_neg().contiguous()
        return flat.reshape(-1).view(torch.uint8).numpy().data
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
