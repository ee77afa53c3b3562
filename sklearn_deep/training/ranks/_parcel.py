"""A job as files, for processes of the same machine: its arrays lie in memory once.

Everything but large arrays is pickled, functions and classes of the script by value. Large
arrays lie in one file in shared memory, which each process maps.
"""

import io
import itertools
import mmap
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.nn._randomness import draws_from_source, install_generator
from sklearn_deep.training.job._job import TrainJob

try:  # a dependency of joblib, which older versions bring along
    import cloudpickle
except ImportError:
    from joblib.externals import cloudpickle

_LARGE = 1 << 16  # bytes
_BOUNDARY = 64  # to which memory of arrays is aligned

_PICKLE, _ARRAYS = "job.pickle", "arrays"


def score_of_first(module: Any) -> float:
    """Stand for a monitor on ranks that do not call it."""
    raise NotImplementedError


def write_job(job: TrainJob, folder: Path) -> None:
    """Write a job for other ranks; what only the first one calls stays here."""
    if job.monitor is not None:
        job = replace(job, monitor=score_of_first)
    arrays: list[np.ndarray] = []
    content = io.BytesIO()
    _Pickler(content, arrays).dump((job, draws_from_source(job.module)))
    (folder / _PICKLE).write_bytes(content.getvalue())
    with open(folder / _ARRAYS, "wb") as file:
        for array in arrays:
            file.write(b"\0" * (-file.tell() % _BOUNDARY))
            file.write(memoryview(array.data).cast("B"))


def read_job(folder: Path, device: torch.device) -> TrainJob:
    """Read a job; its tensors come to a device."""
    with open(folder / _PICKLE, "rb") as file:
        job, draws = _Unpickler(file, folder / _ARRAYS, device).load()
    if draws:
        install_generator(job.module)
    return job


class _Pickler(cloudpickle.Pickler):
    """Pickles large arrays as their places in a file."""

    def __init__(self, file: Any, arrays: list[np.ndarray]):
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._arrays, self._stop = arrays, 0
        self._kept: dict[int, tuple[Any, tuple]] = {}

    def persistent_id(self, obj: Any) -> tuple | None:
        """Place of a large array; None for everything else."""
        if id(obj) in self._kept:
            return self._kept[id(obj)][1]
        array = _array_of(obj)
        if array is None:
            return None
        start = self._stop + -self._stop % _BOUNDARY
        self._stop = start + array.nbytes
        self._arrays.append(array)
        is_tensor = isinstance(obj, Tensor)
        place = is_tensor, start, array.dtype.str, array.shape
        self._kept[id(obj)] = obj, place  # an id is that of an object while it lives
        return place


def _array_of(obj: Any) -> np.ndarray | None:
    """A large array, or tensor of any device, as a dense array."""
    if type(obj) is Tensor and not obj.requires_grad and obj.layout is torch.strided:
        on_device = obj.device.type != "cpu"
        if not on_device and obj.nbytes < _LARGE:
            return None
        return np.ascontiguousarray(obj.detach().cpu().numpy()).reshape(obj.shape)
    if type(obj) is np.ndarray and obj.nbytes >= _LARGE and not obj.dtype.hasobject:
        return np.ascontiguousarray(obj)
    return None


class _Unpickler(pickle.Unpickler):
    """Maps the arrays of a file."""

    def __init__(self, file: Any, arrays: Path, device: torch.device):
        super().__init__(file)
        self._device = device
        self._memory: Any = b""
        if arrays.stat().st_size:
            with open(arrays, "rb") as of_arrays:
                # Pages are shared until one is written to.
                self._memory = mmap.mmap(of_arrays.fileno(), 0, access=mmap.ACCESS_COPY)

    def persistent_load(self, pid: Any) -> Any:
        """The array at a place."""
        is_tensor, start, dtype, shape = pid
        count = int(np.prod(shape))
        array = np.frombuffer(self._memory, dtype, count, start).reshape(shape)
        return torch.from_numpy(array).to(self._device) if is_tensor else array


def numbered(folder: Path) -> Iterator[Path]:
    """Folders for one job after the other."""
    for i in itertools.count():
        own = folder / str(i)
        own.mkdir()
        yield own
