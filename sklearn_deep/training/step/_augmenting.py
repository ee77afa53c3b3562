"""Augmentation of training batches, with random numbers from the fit's seed."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sklearn_deep.data._batches import Batch
from sklearn_deep.data._padded import Padded
from sklearn_deep.nn._layout import as_floats
from sklearn_deep.training.job._job import TrainJob
from sklearn_deep.training.job._seeds import reseed


def mixes(job: TrainJob) -> bool:
    """Tell whether targets are mixed too."""
    return any(getattr(item, "mixes", False) for item in job.augmentation)


class Augmenter:
    """Augments the training batches of one network.

    Parameters
    ----------
    job : TrainJob
        A job that has augmentations.
    """

    def __init__(self, job: TrainJob):
        assert job.layout is not None
        self._job, self._layout = job, job.layout
        self._mixes = mixes(job) and job.loss.kind == "softmax"
        self._generator = torch.Generator(job.rows.device)
        self._dtype = next(job.module.parameters()).dtype

    def begin(self, epoch: int) -> None:
        """Seed the random numbers of an epoch."""
        reseed(self._generator, self._job.seed, "augmentation", epoch)

    def __call__(self, batch: Batch) -> Batch:
        """Augment a batch; returned features are floats in the user's layout."""
        x, y = self._canonical(batch.x), batch.y
        if self._mixes:
            y = F.one_hot(y, self._job.n_outputs).to(self._dtype)
        batch = Batch(x, y, batch.weight)
        for item in self._job.augmentation:
            batch = item.augment(batch, self._generator)
        return batch.with_x(self._restored(batch.x))

    def _canonical(self, x: Any) -> Any:
        if not isinstance(x, Tensor):  # padded sequences are canonical already
            return x
        return self._layout.canonical(as_floats(x, self._dtype))

    def _restored(self, x: Any) -> Any:
        return self._layout.restore(x) if isinstance(x, Tensor) else x


def _of_network(x: Any, k: int) -> Any:
    return x.network(k) if isinstance(x, Padded) else x[k]


def _stacked(parts: list[Any]) -> Any:
    """Stack the features of several networks; padded ones have equal lengths."""
    if not isinstance(parts[0], Padded):
        return torch.stack(parts)
    return Padded(*(torch.stack(each) for each in zip(*parts, strict=True)))


def augmented_together(augmenters: Sequence[Augmenter], batch: Batch) -> Batch:
    """Augment a batch of several networks, each with its own random numbers."""
    parts = []
    for k, augmenter in enumerate(augmenters):
        weight = None if batch.weight is None else batch.weight[k]
        parts.append(augmenter(Batch(_of_network(batch.x, k), batch.y[k], weight)))
    weights = [part.weight for part in parts if part.weight is not None]
    return Batch(
        _stacked([part.x for part in parts]),
        torch.stack([part.y for part in parts]),
        torch.stack(weights) if weights else None,
    )
