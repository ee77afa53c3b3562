"""Batches of sequences of unequal length."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.data._ragged import Ragged


class Padded(NamedTuple):
    """A batch of sequences, filled up with zeros to the longest of them.

    Attributes
    ----------
    x : Tensor of shape (n_rows, longest, ...)
        On the device.
    lengths : Tensor of shape (n_rows,)
        True lengths, int64, on the CPU, where torch packs by them.
    """

    x: Tensor
    lengths: Tensor

    @classmethod
    def of(
        cls, sequences: Ragged, rows: np.ndarray | None, device: torch.device
    ) -> "Padded":
        """Some rows, or all of them."""
        x, lengths = sequences.filled(rows)
        return cls(torch.from_numpy(x).to(device), torch.from_numpy(lengths))
