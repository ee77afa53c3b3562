"""How much the columns of X matter to a network, by rows that it was not trained on.

The values of a column are permuted between these rows, and the loss increases by what the
network took from the column.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._seeds import bit_generator
from sklearn_deep.training.loop._evaluation import outputs_of


class Importances(NamedTuple):
    """Importance of each column of X, and its standard error, of shape (n_features,)."""

    mean: np.ndarray
    error: np.ndarray


def judged_rows(job: TrainJob) -> list[tuple[nn.Module, Rows]]:
    """Networks of a job, each with rows that it was not trained on.

    The whole module with the validation rows, where there are some; else each network of
    an ensemble with the rows that it left out.
    """
    if job.validation is not None:
        return [(job.module, job.validation)]
    return [
        (network.module, network.left_out)
        for network in job.networks
        if network.left_out is not None
    ]


def permutation_importances(
    judged: Sequence[tuple[nn.Module, Rows]],
    loss: Loss,
    sources: np.ndarray,
    n_features: int,
    n_repeats: int,
    seed: int,
) -> Importances:
    """Mean increase of the loss of a row with a column permuted.

    Parameters
    ----------
    judged : sequence of (module, Rows)
        At least one. Values are permuted between the rows of all.
    loss : Loss
    sources : ndarray of shape (n_columns,)
        The feature that each column of the encoded rows comes from: the columns of one
        feature are permuted together. Others have an importance of 0.
    n_features, n_repeats : int
    seed : int
        Seed of the permutations, which are the same for all features.
    """
    rows = _gathered([part for _, part in judged])
    n_rows = [len(part) for _, part in judged]
    orders = permutations(len(rows.y), n_repeats, seed).to(rows.y.device)
    places = zip(judged, np.cumsum([0, *n_rows]), n_rows, strict=False)
    increases = torch.cat(
        [
            _increases(module, rows, slice(at, at + n), loss, sources, orders)
            for (module, _), at, n in places
        ],
        1,
    )  # (n_used, n_rows)
    return _summary(increases, rows.weight, np.unique(sources), n_features)


def permutations(n_rows: int, n_repeats: int, seed: int) -> Tensor:
    """Draw permutations of rows, of shape (n_repeats, n_rows)."""
    random = np.random.Generator(bit_generator(seed, "importance"))
    orders = [random.permutation(n_rows) for _ in range(n_repeats)]
    return torch.from_numpy(np.stack(orders))


def _gathered(parts: Sequence[Rows]) -> Rows:
    """The rows of all networks as one, with features of their own."""
    features = parts[0].x.to(parts[0].device)
    whole = [part.to_device(features).all() for part in parts]
    x, y = torch.cat([each.x for each in whole]), torch.cat([each.y for each in whole])
    weights = [each.weight for each in whole if each.weight is not None]
    return Rows(x, y, torch.cat(weights) if weights else None)


def _increases(
    module: nn.Module,
    rows: Rows,
    own: slice,
    loss: Loss,
    sources: np.ndarray,
    orders: Tensor,
) -> Tensor:
    """Increase of the loss of a network's own rows by each feature: (n_used, n_own)."""
    n_repeats = len(orders)
    x, y = rows.x[own], rows.y[own]
    repeated = Rows(
        x.repeat(n_repeats, 1), y.repeat(n_repeats, *[1] * (y.ndim - 1)), None
    )
    before = _losses(module, Rows(x, y, None), loss)
    after = [
        _losses(module, repeated, loss).view(n_repeats, -1).mean(0)
        for _ in _permuted(repeated.x, rows.x, orders[:, own].flatten(), sources)
    ]
    return torch.stack(after) - before


def _permuted(
    x: Tensor, values: Tensor, order: Tensor, sources: np.ndarray
) -> Iterator[None]:
    """Fill the columns of one feature after another with the values of other rows."""
    for feature in np.unique(sources):
        columns = torch.from_numpy(np.flatnonzero(sources == feature)).to(x.device)
        before = x[:, columns]
        x[:, columns] = values[:, columns][order]
        yield
        x[:, columns] = before


def _losses(module: nn.Module, rows: Rows, loss: Loss) -> Tensor:
    raw = outputs_of(module, rows)
    with torch.inference_mode():
        losses = loss.rows(raw, rows.y).cpu()
    return losses.double()


def _summary(
    increases: Tensor, weight: Tensor | None, used: np.ndarray, n_features: int
) -> Importances:
    """Weighted means over the rows, and their standard errors."""
    n_rows = increases.shape[1]
    share = np.full(n_rows, 1.0) if weight is None else weight.cpu().double().numpy()
    share = share / share.sum()
    values = increases.numpy()
    mean, error = np.zeros(n_features), np.zeros(n_features)
    mean[used] = values @ share
    squares = np.square((values - mean[used, None]) * share).sum(1)
    error[used] = np.sqrt(squares * n_rows / max(1, n_rows - 1))
    return Importances(mean, error)
