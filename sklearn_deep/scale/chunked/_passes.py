"""The passes over a source before the training: targets, transformers, a sample."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_deep.data._tasks import Task
from sklearn_deep.data.chunks._data import Chunk, ChunkedData
from sklearn_deep.data.chunks._membership import Membership
from sklearn_deep.data.chunks._prefetch import prefetched
from sklearn_deep.data.chunks._stream import BufferPlan, Stream
from sklearn_deep.data.chunks._survey import Survey, chunk_weight, take
from sklearn_deep.estimators.core._parts import FitArguments
from sklearn_deep.scale.chunked._memory import block_rows
from sklearn_deep.scale.chunked._transformers import (
    Step,
    chain,
    fit_stateless,
    learn,
    to_learn,
)


class Passes:
    """Passes over all rows.

    Parameters
    ----------
    data : ChunkedData
    steps : list of (name, transformer)
        They are fitted.
    task : Task
    membership : Membership
    plan : BufferPlan
    width : int
        Bytes of a row.
    digests : bool
        Whether a digest of all rows is computed.
    """

    def __init__(
        self,
        data: ChunkedData,
        steps: list[Step],
        task: Task,
        membership: Membership,
        plan: BufferPlan,
        width: int,
        digests: bool,
    ):
        self._data, self._steps, self._plan = data, steps, plan
        self._survey = Survey(task, membership)
        self._block_rows = block_rows(width)
        self._digest: int | None = 0 if digests else None

    def stream(self) -> Stream:
        """Pass over the rows: once, and once more for each further transformer."""
        places = to_learn(self._steps)
        self._fit_up_to(places[0] if places else len(self._steps), self._surveyed())
        for k, place in enumerate(places[1:], 1):
            self._fit_step(places[k - 1], place, self._training())
        if places:
            self._finish(places[-1])
        return Stream(
            self._data,
            chain(self._steps),
            self._survey,
            self._plan,
            digest="" if self._digest is None else f"{self._digest:08x}",
        )

    def _fit_up_to(self, place: int, chunks: Iterator[Chunk]) -> None:
        """Fit the steps before a place, which learn nothing, and the one there."""
        for i, chunk in enumerate(chunks):
            before = self._steps[:place]
            X = fit_stateless(before, chunk.X, chunk.y) if i == 0 else None
            if place == len(self._steps):
                continue  # the survey alone needs the other chunks
            X = chain(before)(chunk.X) if X is None else X
            learn(self._steps[place][1], X, chunk.y)

    def _fit_step(self, before: int, place: int, chunks: Iterator[Chunk]) -> None:
        """Fit a later step, by rows that the steps before it have transformed."""
        first = True
        for chunk in chunks:
            X = chain(self._steps[: before + 1])(chunk.X)
            between = self._steps[before + 1 : place]
            X = fit_stateless(between, X, chunk.y) if first else chain(between)(X)
            learn(self._steps[place][1], X, chunk.y)
            first = False

    def _finish(self, place: int) -> None:
        """Fit the steps behind the last one that learns."""
        sample = self._survey.part("sample")
        behind = self._steps[place + 1 :]
        if behind and sample is not None:
            X = chain(self._steps[: place + 1])(sample.X)
            fit_stateless(behind, X, sample.y)

    def _surveyed(self) -> Iterator[Chunk]:
        """Training rows of all blocks, which the survey sees."""
        for chunk in self._blocks():
            if self._digest is not None:
                self._digest = _digest(chunk, self._digest)
            train = self._survey.see(chunk)
            if train is not None:
                yield train

    def _training(self) -> Iterator[Chunk]:
        """Training rows of all blocks."""
        for chunk in self._blocks():
            _, rows, _ = self._survey.membership.split(chunk.start, len(chunk))
            weight = chunk_weight(chunk.weight, len(chunk))
            if weight is not None:
                rows = rows[weight[rows] > 0]
            if len(rows):
                yield take(chunk, rows)

    def _blocks(self) -> Iterator[Chunk]:
        return prefetched(self._data.blocks(self._block_rows), self._plan.prefetch)


def sample_arguments(stream: Stream) -> FitArguments:
    """The sample and the validation rows as arguments of the network's fit."""
    survey, transform = stream.survey, stream.transform
    sample, validation = survey.part("sample"), survey.part("validation")
    if sample is None:
        raise ValueError(
            f"The source of {stream.data.owner} has no training row: sample_weight is"
            " zero in every row."
        )
    of_validation: tuple[Any, Any, Any] = (None, None, None)
    if validation is not None:
        X_val = transform(validation.X)
        of_validation = X_val, validation.y, validation.weight
    return FitArguments(
        transform(sample.X),
        sample.y,
        sample.weight,
        *of_validation,
        classes=stream.classes,
        stream=stream,
    )


def _digest(chunk: Chunk, before: int) -> int:
    for part in (chunk.X, chunk.y, chunk.weight):
        if part is None:
            continue
        columns = [part[name] for name in part.columns] if _is_frame(part) else [part]
        for column in columns:
            before = zlib.crc32(_as_bytes(np.asarray(column)), before)
    return before


def _is_frame(part: Any) -> bool:
    return hasattr(part, "columns")


def _as_bytes(values: np.ndarray) -> Any:
    if values.dtype.kind == "O":
        return "\0".join(map(str, values.ravel().tolist())).encode()
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1)
