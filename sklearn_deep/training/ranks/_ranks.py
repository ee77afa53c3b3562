"""What ranks tell one another."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from sklearn_deep.exceptions import RankLostError

T = TypeVar("T")


class Ranks:
    """The ranks of a process group; all of them call each method, in the same order.

    Parameters
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes, two or more.
    prompt : process group
        For what is sent within an epoch.
    patient : process group
        For what ranks may wait for, on the CPU.
    verdict : process group
        For ranks that have failed, on the CPU.

    Attributes
    ----------
    lost : str or None
        Why they cannot go on, once one is lost.
    """

    def __init__(self, rank: int, size: int, prompt: Any, patient: Any, verdict: Any):
        self.rank, self.size = rank, size
        self.lost: str | None = None
        self._prompt, self._patient, self._verdict = prompt, patient, verdict

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes, and decides where only one can."""
        return self.rank == 0

    def check(self) -> None:
        """Raise where a rank was lost before."""
        if self.lost is not None:
            raise RankLostError(self.lost)

    def close(self) -> None:
        """Let the groups go: threads of one that is left at the end abort the process."""
        self.lost = self.lost or f"Rank {self.rank} of {self.size} has ended."
        groups = self._prompt, self._patient, self._verdict
        self._prompt = self._patient = self._verdict = None
        for group in groups:
            if group is not None:
                with suppress(Exception):
                    dist.destroy_process_group(group)

    def fail(self) -> None:
        """Wait a moment for the others to fail, too; without them let the groups go."""
        if self.lost is None:
            try:
                dist.all_reduce(torch.zeros(1), group=self._verdict)
                return
            except RuntimeError:
                self.lost = (
                    f"An earlier fit has failed on rank {self.rank} of {self.size} alone,"
                    " and the others have waited for it. Start the script again."
                )
        self.close()

    # Within an epoch.

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the ranks, which has the same bits on all."""
        with self._asking():
            dist.all_reduce(tensor, group=self._prompt)

    def gather(self, tensor: Tensor) -> Tensor:
        """Stack a tensor of each rank, (n_ranks, ...)."""
        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        with self._asking():
            dist.all_gather(parts, tensor.contiguous(), group=self._prompt)
        return torch.stack(parts)

    # Between epochs, and before the first.

    def numbers_of_first(self, numbers: Sequence[float]) -> list[float]:
        """The numbers that the first rank has."""
        tensor = torch.tensor(list(numbers), dtype=torch.float64)
        with self._asking():
            dist.broadcast(tensor, 0, group=self._patient)
        return tensor.tolist()

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any rank."""
        tensor = torch.tensor(float(flag))
        with self._asking():
            dist.all_reduce(tensor, group=self._patient)
        return bool(tensor > 0)

    def tensors_of_first(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by those of the first rank."""
        for tensor in tensors:
            whole = tensor.detach().cpu().contiguous()
            with self._asking():
                dist.broadcast(whole, 0, group=self._patient)
            with torch.no_grad():
                tensor.copy_(whole)

    def of_first(self, value: Any) -> Any:
        """A value that can be pickled, as the first rank has it."""
        box = [value if self.is_first else None]
        with self._asking():
            dist.broadcast_object_list(box, 0, group=self._patient)
        return box[0]

    def of_each(self, value: Any) -> list[Any]:
        """A value that can be pickled, of each rank."""
        values: list[Any] = [None] * self.size
        with self._asking():
            dist.all_gather_object(values, value, group=self._patient)
        return values

    def by_first(self, call: Callable[[], T]) -> T:
        """Result of a function that the first rank alone calls; or its error, on all."""
        value, raised = self.of_first(_outcome(call) if self.is_first else None)
        if raised is not None:
            raise raised
        return value

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Give errors of a message a text that says what happened to the fit."""
        self.check()
        try:
            yield
        except RuntimeError as error:  # of torch.distributed, too
            self.lost = _text(self, error)
            raise RankLostError(self.lost) from error


# What torch.distributed says, and what it means.
_REASONS = {
    "closed by peer": "was killed or has failed: its connection is closed",
    "reset by peer": "was killed or has failed: its connection is closed",
    "imed out": "does not answer",
}


def _text(ranks: Ranks, error: Exception) -> str:
    said = str(error).strip()
    lines = said.splitlines() or [type(error).__name__]
    otherwise = f"was killed, has failed, or does not answer ({lines[0]})"
    reason = next((r for part, r in _REASONS.items() if part in said), otherwise)
    return (
        f"Rank {ranks.rank} of {ranks.size} waits in vain: another process of this fit"
        f" {reason}. The fit cannot go on without it; start the script again. With"
        " checkpoint= it continues where its state was stored last."
    )


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Result of a function, and its error."""
    try:
        return call(), None
    except Exception as error:
        return None, _portable(error)


def _portable(error: Exception) -> Exception:
    """An error that can be sent to other ranks."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a class of others' raises when it is made anew
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
