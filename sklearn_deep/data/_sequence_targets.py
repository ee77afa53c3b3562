"""Rows with one target per time step."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, Rows
from sklearn_deep.data._missing import refuse_missing_targets
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._sequences import sequences_in


@dataclass(frozen=True)
class PerStepRows(Rows):
    """Rows whose targets and weights are those of all their steps, row by row.

    A network that gives every step an output gives them in the same order, so losses
    and scores see steps where they see rows elsewhere.

    Attributes
    ----------
    steps : Ragged
        For each row, where its steps are in ``y`` and ``weight``.
    """

    steps: Ragged = field(default_factory=lambda: Ragged(np.empty(0), np.zeros(1)))

    @classmethod
    def of(
        cls,
        x: Any,
        y: Ragged,
        weight: np.ndarray | None,
        index: np.ndarray | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> "PerStepRows":
        """Take validated sequences, their targets and one weight per step."""
        flat = Rows.make(x, y.values, weight, index, dtype, device)
        steps = y.with_values(np.arange(len(y.values)))
        return cls(flat.x, flat.y, flat.weight, flat.index, steps=steps)

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, rows: Tensor) -> Batch:
        """Some rows, with all their steps."""
        where = rows if self.index is None else self.index.index_select(0, rows)
        steps = torch.from_numpy(self.steps.steps_of(rows.cpu().numpy()))
        steps = steps.to(self.device)
        weight = None if self.weight is None else self.weight.index_select(0, steps)
        return Batch(self._gather(where), self.y.index_select(0, steps), weight)

    def part(self, where: Tensor) -> "PerStepRows":
        """Some rows with all their steps; the features are shared."""
        chosen = where.cpu().numpy()
        steps = torch.from_numpy(self.steps.steps_of(chosen)).to(self.device)
        lengths = self.steps.lengths[chosen]
        return replace(
            self,
            y=self.y[steps],
            weight=None if self.weight is None else self.weight[steps],
            index=where if self.index is None else self.index[where],
            steps=Ragged.of_lengths(np.arange(lengths.sum()), lengths),
        )

    def in_order(self) -> Iterator[Batch]:
        """All rows in order, in chunks."""
        offsets = self.steps.offsets.tolist()
        for part in self.parts():
            steps = slice(offsets[part.start], offsets[part.stop])
            weight = None if self.weight is None else self.weight[steps]
            yield Batch(self._features_of(part), self.y[steps], weight)


def step_targets(y: Any, X: Ragged, owner: str, name: str = "y") -> Ragged:
    """The targets of all true steps, not validated any further.

    Parameters
    ----------
    y : array-like of shape (n, time) or (n, time, n_targets), or n sequences
        What lies behind the end of a sequence in a padded array is left out.
    X : Ragged
        The sequences.

    Raises
    ------
    ValueError
        For another number of rows, or of steps in a row.
    """
    if not hasattr(y, "__len__"):
        raise TypeError(
            f"{name} of {owner} must have one sequence of targets per row; got {y!r}."
        )
    items = sequences_in(y)
    n = len(y) if items is None else len(items)
    if n != len(X):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {owner} got"
            f" {len(X)} sequences and {n} rows of {name}."
        )
    if items is None:
        return _cut(np.asarray(y), X, owner, name)
    arrays = [np.asarray(item) for item in items]
    for i, (array, length) in enumerate(zip(arrays, X.lengths.tolist(), strict=True)):
        if array.ndim not in (1, 2) or len(array) != length:
            raise ValueError(
                f"{name}[{i}] of {owner} has shape {array.shape}, and its sequence has"
                f" {length} steps. With return_sequences=True every step has a target."
            )
    for i, array in enumerate(arrays):
        refuse_missing_targets(array, owner, f"{name}[{i}]")
    filled = [array for array in arrays if len(array)]
    return X.with_values(np.concatenate(filled or arrays))


def _cut(y: np.ndarray, X: Ragged, owner: str, name: str) -> Ragged:
    longest = int(X.lengths.max())
    if y.ndim not in (2, 3) or y.shape[1] < longest:
        raise ValueError(
            f"{name} of {owner} has shape {y.shape}. With return_sequences=True it must"
            f" be ({len(X)}, time) or ({len(X)}, time, n_targets), with time >="
            f" {longest}, or a sequence of targets a row."
        )
    return X.with_values(y[np.arange(y.shape[1]) < X.lengths[:, None]])
