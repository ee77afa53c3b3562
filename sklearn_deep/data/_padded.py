"""Batches of sequences of unequal length, of one network or of many."""

from collections.abc import Sequence
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

    Both have an axis of networks in front where several are trained at once.
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

    @classmethod
    def together(
        cls,
        sequences: Sequence[Ragged],
        where: np.ndarray,
        device: torch.device,
    ) -> "Padded":
        """Rows of several networks, (n_nets, n_rows), each with its own sequences."""
        longest = max(
            int(own.lengths[rows].max(initial=0))
            for own, rows in zip(sequences, where, strict=True)
        )
        parts = [
            own.filled(rows, longest)
            for own, rows in zip(sequences, where, strict=True)
        ]
        x, lengths = (np.stack(each) for each in zip(*parts, strict=True))
        return cls(torch.from_numpy(x).to(device), torch.from_numpy(lengths))

    def network(self, k: int) -> "Padded":
        """The batch of one of several networks."""
        return Padded(self.x[k], self.lengths[k])
