"""The networks of an ensemble as parts of one job."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.training.job._job import JobNetwork
from sklearn_deep.training.job._seeds import network_seed


def ensemble_networks(
    modules: Iterable[nn.Module],
    rows: Rows,
    seed: int,
    folds: np.ndarray | None = None,
) -> tuple[JobNetwork, ...]:
    """Give each network its seed and its rows.

    Parameters
    ----------
    modules : iterable of torch.nn.Module
        The networks of one module.
    rows : Rows
        Training rows of all.
    seed : int
        Seed of the fit.
    folds : ndarray of shape (n_rows,) or None
        Number of each row's fold: the network of that number does not train on it, and is
        validated on it. None: all networks train on all rows.
    """
    networks = []
    for k, module in enumerate(modules):
        train, left_out = rows, None
        if folds is not None and (folds == k).any():
            train = rows.part(_where(folds != k, rows))
            left_out = rows.part(_where(folds == k, rows))
        networks.append(JobNetwork(module, network_seed(seed, k), train, left_out))
    return tuple(networks)


def _where(mask: np.ndarray, rows: Rows) -> torch.Tensor:
    return torch.from_numpy(np.flatnonzero(mask)).to(rows.device)
