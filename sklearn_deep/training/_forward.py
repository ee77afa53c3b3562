"""The raw outputs of a trained module for rows of any number."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import as_tensor
from sklearn_deep.data._rows import chunks, dense

# float32 products treat the last rows of a block with other instructions; blocks of
# a multiple of this many rows have no such rest, so a row's outputs do not depend on
# its place.
_BLOCK = 32


def raw_outputs(module: nn.Module, X: Any) -> Tensor:
    """Apply a module in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
    X : ndarray or CSR matrix of shape (n_rows, n_features)
        Of the module's dtype.

    Returns
    -------
    Tensor of shape (n_rows, n_outputs), on the CPU
    """
    with torch.inference_mode():
        parts = [module(x)[:n].cpu() for x, n in _blocks(module, X)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _blocks(module: nn.Module, X: Any) -> Iterator[tuple[Tensor, int]]:
    device = next(module.parameters()).device
    widest = max((p.shape[0] for p in module.parameters() if p.ndim), default=1)
    width = max(X.shape[1], widest)
    for part in chunks(X.shape[0], width * X.dtype.itemsize):
        x = as_tensor(dense(X, part))
        n = x.shape[0]
        if x.dtype == torch.float32 and n % _BLOCK:
            x = torch.cat([x, x.new_zeros(_BLOCK - n % _BLOCK, *x.shape[1:])])
        yield x.to(device), n
