"""Raw outputs of a trained module for any number of rows."""

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import as_tensor
from sklearn_deep.data._padded import Padded
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._rows import CHUNK_BYTES, chunks
from sklearn_deep.nn._rnn import Every
from sklearn_deep.nn._running import Running
from sklearn_deep.training.job._devices import int_attribute, multiply_adds, threads_for

# float32 matrix products use other instructions for the last rows of a block. Blocks of
# a multiple of this many rows have no such remainder, so a row's outputs do not depend
# on its position among the same number of rows.
_BLOCK = 32

# float64 convolutions rearrange all kernels once per block of rows, so their blocks are
# larger. The limit counts the outputs of all layers; only a few exist at the same time.
_FLOAT64_BYTES = 8 * CHUNK_BYTES


# A cache: counting a module's parameters takes as long as a small layer; so does
# finding its first parameter, for the device, and its ReLU layers.
_sizes: WeakKeyDictionary[nn.Module, tuple[int, int, Tensor, Running]]
_sizes = WeakKeyDictionary()


def _size(module: nn.Module) -> tuple[int, int, torch.device, Running]:
    """Multiply-adds per row, units of the widest layer, device, and ``Running``."""
    if module not in _sizes:
        parameters = [*module.parameters(), *module.buffers()]
        widest = max((p.shape[0] for p in parameters if p.ndim), default=1)
        widest = (
            int_attribute(module, "units") or widest
        )  # all output values of a convolution
        # A stage without parameters and buffers has no device.
        first = parameters[0] if parameters else torch.empty(0)
        _sizes[module] = multiply_adds(module), widest, first, Running(module)
    n_multiply_adds, widest, first, running = _sizes[module]
    return n_multiply_adds, widest, first.device, running


def raw_outputs(module: nn.Module, X: Any) -> Tensor:
    """Apply a module in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
    X : ndarray of shape (n_rows, ...), CSR matrix or Ragged
        Of the module's dtype, or uint8 pixels where it takes them.

    Returns
    -------
    Tensor of shape (n_rows, n_outputs), on the CPU
        Of shape (n_steps, n_outputs) where every step of a sequence has an output.
    """
    n_multiply_adds, widest, device, running = _size(module)
    if isinstance(X, Ragged):
        positions = int_attribute(module, "positions") or 1
        widest = -(-widest // positions)
        total = float(X.offsets[-1] * n_multiply_adds / positions)
        threads = threads_for(total, device, running.float64_kernels)
        with threads, torch.inference_mode(), running:
            return _by_length(module, X, widest, device)
    width = max(math.prod(X.shape[1:]), widest)
    # A module of the user's does not tell how many values its layers hold.
    known = running.float64_kernels and int_attribute(module, "units")
    n_bytes = _FLOAT64_BYTES if known else CHUNK_BYTES
    parts = chunks(X.shape[0], width * X.dtype.itemsize, n_bytes)
    total = float(X.shape[0] * n_multiply_adds)
    threads = threads_for(total, device, running.float64_kernels)
    with threads, torch.inference_mode(), running:
        raw = [_apply(module, X if len(parts) == 1 else X[p], device) for p in parts]
    return raw[0] if len(raw) == 1 else torch.cat(raw)


def _apply(module: nn.Module, X: Any, device: torch.device) -> Tensor:
    x = as_tensor(X.toarray() if sp.issparse(X) else X)
    n = x.shape[0]
    if x.dtype != torch.float64 and n % _BLOCK:
        x = torch.cat([x, x.new_zeros(_BLOCK - n % _BLOCK, *x.shape[1:])])
    return module(x.to(device))[:n].cpu()


def _by_length(
    module: nn.Module, X: Ragged, widest: int, device: torch.device
) -> Tensor:
    """Batches of sequences of similar length, which need little padding."""
    lengths = X.lengths
    order = np.argsort(lengths, kind="stable")
    step_bytes = max(math.prod(X.shape[1:]), widest) * X.dtype.itemsize
    raw, stop = [], len(order)
    while stop:  # from the longest on
        longest = max(1, int(lengths[order[stop - 1]]))
        size = max(_BLOCK, CHUNK_BYTES // (longest * step_bytes))
        rows = order[max(0, stop - size) : stop]
        raw.append(module(Padded.of(X, rows, device)).cpu())
        stop -= len(rows)
    outputs = torch.cat(raw[::-1])
    back = np.argsort(order, kind="stable")
    if any(isinstance(part, Every) for part in module.modules()):
        steps = Ragged.of_lengths(outputs.numpy(), lengths[order])
        back = steps.steps_of(back)
    return outputs[torch.from_numpy(back)]
