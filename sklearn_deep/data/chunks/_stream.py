"""The training rows of a fit as a stream of mixed, encoded rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from sklearn_deep.data._batches import as_tensor
from sklearn_deep.data._targets import RealTargets
from sklearn_deep.data._tasks import Classification, Task
from sklearn_deep.data._weights import class_weights
from sklearn_deep.data.chunks._buffer import Block, in_file_order, mixed
from sklearn_deep.data.chunks._data import Chunk, ChunkedData
from sklearn_deep.data.chunks._prefetch import prefetched
from sklearn_deep.data.chunks._survey import Survey, chunk_weight, take

# Portions that leave the buffer at once are of about so many rows, and of an eighth of
# the buffer at most.
_PORTION, _SHARE = 4096, 8

Encode = Callable[[Any, Any, Any], tuple[Any, Any, Any]]


class BufferPlan(NamedTuple):
    """How rows are read and mixed.

    Attributes
    ----------
    n_slots : int
        Rows in the buffer.
    chunk_rows : int
        Rows that are read at a time.
    n_open : int
        Pieces that are read side by side.
    prefetch : int
        Chunks that are read ahead.
    shuffle : bool
        Whether rows are mixed; else they come in the order of the source.
    n_bytes : float
        Memory that the buffer takes at most.
    """

    n_slots: int
    chunk_rows: int
    n_open: int
    prefetch: int
    shuffle: bool
    n_bytes: float = float("inf")


@dataclass
class StreamState:
    """What changes while a stream is read.

    Attributes
    ----------
    reading : iterator or None
        The pass that is being read.
    n_slots : int
        Rows in the buffer.
    quality : callable ``() -> dict of str to float``
        How well the batches of the first epoch represent all rows.
    """

    reading: Any = None
    n_slots: int = 0
    quality: Callable[[], dict[str, float]] = dict


@dataclass(frozen=True, eq=False)
class Stream:
    """What a fit needs to know of rows that are not in memory, and how to read them.

    Attributes
    ----------
    data : ChunkedData
    transform : callable ``X -> X``
        What stands before the network.
    survey : Survey
    plan : BufferPlan
    encode : callable ``(X, y, weight) -> (x, y, weight)`` or None
        Encodes transformed rows; None before features have learnt.
    digest : str
        Digest of all rows, where a checkpoint needs one.
    state : StreamState
    """

    data: ChunkedData
    transform: Callable[[Any], Any]
    survey: Survey
    plan: BufferPlan
    encode: Encode | None = None
    digest: str = ""
    state: StreamState = field(default_factory=StreamState)

    @property
    def n_rows(self) -> int:
        """Number of training rows."""
        return self.survey.n_rows

    @property
    def classes(self) -> np.ndarray | None:
        """Sorted labels of all rows; None where rows have no single label."""
        return self.survey.classes

    def task(self, task: Task) -> Task:
        """The task, with weights of classes that were balanced by all rows."""
        settings, classes = task.settings, self.classes
        if not isinstance(settings.class_weight, str) or classes is None:
            return task
        weights = class_weights(
            settings.class_weight,
            classes,
            np.arange(len(classes)),
            self.survey.class_sums,
        )
        named = dict(zip(classes.tolist(), weights.tolist(), strict=True))
        return replace(task, settings=replace(settings, class_weight=named))

    def targets(self, targets: Any) -> Any:
        """The targets that the sample gave, scaled by the moments of all rows."""
        moments = self.survey.moments
        if moments is None or not isinstance(targets, RealTargets):
            return targets
        if targets.scaling == "mean":
            return replace(targets, scale=moments.mean)
        spread = moments.spread
        constant = spread <= 1e-12 * np.abs(moments.mean)
        scale = np.where(constant, 1.0, spread)
        return replace(targets, center=moments.mean, scale=scale)

    def mean_weight(self, task: Task, targets: Any) -> float | None:
        """Mean weight of all training rows; None where they have none."""
        survey, settings = self.survey, task.settings
        if not isinstance(task, Classification) or settings.class_weight is None:
            return survey.weight_sum / survey.n_rows if survey.weighted else None
        classes = targets.classes
        each = class_weights(
            settings.class_weight, classes, np.arange(len(classes)), None
        )
        return float(each @ survey.class_sums) / survey.n_rows

    def portions(self, batch_size: int, generator: torch.Generator) -> Iterator[Block]:
        """All training rows in mixed portions, each of a multiple of ``batch_size``.

        The last one may be of any size; no batch of a single row is left over. One pass
        is read at a time: another one that was left in the middle is closed.
        """
        self.close()
        plan = self.plan
        size = self.portion_rows(batch_size)
        seed = torch.randint(2**62, (1,), generator=generator).item()
        blocks = prefetched(self._blocks(int(seed)), plan.prefetch)
        self.state.reading = blocks
        if plan.shuffle:
            return mixed(blocks, max(plan.n_slots, 2 * size), size, generator)
        return in_file_order(blocks, size)

    def bounded(self, row_bytes: int) -> "Stream":
        """A stream whose buffer takes no more memory than it may."""
        most = max(1, int(self.plan.n_bytes // row_bytes))
        plan = self.plan._replace(n_slots=min(self.plan.n_slots, most))
        return replace(self, plan=plan)

    def close(self) -> None:
        """End the thread that reads, if there is one."""
        reading, self.state.reading = self.state.reading, None
        if reading is not None:
            reading.close()

    def portion_rows(self, batch_size: int) -> int:
        """Number of rows of a portion: a multiple of the batch size."""
        wanted = min(_PORTION, self.plan.n_slots // _SHARE)
        return batch_size * max(1, round(wanted / batch_size))

    def _blocks(self, seed: int) -> Iterator[Block]:
        """Encoded training rows, chunk by chunk."""
        plan = self.plan
        chunks = (
            self.data.shuffled(
                np.random.default_rng(seed), plan.chunk_rows, plan.n_open
            )
            if plan.shuffle
            else self.data.in_order(plan.chunk_rows)
        )
        n = 0
        for chunk in chunks:
            block = self._block(chunk)
            if block is not None:
                n += len(block)
                yield block
        if n != self.n_rows:
            raise ValueError(
                f"The source of {self.data.owner} gave {n} training rows in this pass and"
                f" {self.n_rows} in the first one. It must give the same rows in every"
                " pass."
            )

    def _block(self, chunk: Chunk) -> Block | None:
        assert self.encode is not None
        weight = chunk_weight(chunk.weight, len(chunk))
        _, rows, _ = self.survey.membership.split(chunk.start, len(chunk))
        if weight is not None:
            rows = rows[weight[rows] > 0]
        if not len(rows):
            return None
        part = take(Chunk(chunk.X, chunk.y, weight, chunk.start), rows)
        x, y, weight = self.encode(self.transform(part.X), part.y, part.weight)
        return Block(
            as_tensor(x),
            as_tensor(y),
            None if weight is None else as_tensor(weight),
            torch.from_numpy(rows + chunk.start),
        )

    def fingerprint_parts(self) -> tuple[Any, ...]:
        """What decides the rows and their order."""
        plan = self.plan
        order = plan.n_slots, plan.chunk_rows, plan.n_open, plan.shuffle
        return self.digest, self.n_rows, order, self.survey.membership
