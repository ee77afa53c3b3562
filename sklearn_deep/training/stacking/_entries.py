"""What a stack is made of: jobs with their runs, and the networks of each."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import batch_bounds
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._job import TrainJob, TrainResult
from sklearn_deep.training.loop._evaluation import evaluate
from sklearn_deep.training.loop._run import EpochNumbers, Run, Watcher
from sklearn_deep.training.ranks._ranks import Ranks
from sklearn_deep.training.step._derived import is_plain
from sklearn_deep.training.step._flat import FlatParameters
from sklearn_deep.training.step._step import make_slots


@dataclass
class Member:
    """A job of a stack, and its result.

    Attributes
    ----------
    job : TrainJob
    watchers : sequence of Watcher
    recorder : Recorder or None
        Stores the state of its training.
    cancelled : bool
        Set by other threads, also during training: the result is not needed any more.
    result : TrainResult or None
    error : BaseException or None
        Set instead of a result.
    """

    job: TrainJob
    watchers: Sequence[Watcher] = ()
    recorder: Recorder | None = None
    cancelled: bool = False
    result: TrainResult | None = None
    error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether there is a result or an error."""
        return self.result is not None or self.error is not None

    @property
    def continues_stack(self) -> bool | None:
        """Whether its training began in a stack whose products round otherwise.

        None where that makes no difference: it has not begun, or has the same bits.
        """
        if self.recorder is None or is_plain(self.job.module):
            return None
        return self.recorder.of_stack


class Entry:
    """A job of the stack, its run and its networks.

    Attributes
    ----------
    nets : list of Net
        One, or those of an ensemble.
    places : list of int
        Their places in the stack.
    """

    def __init__(
        self,
        member: Member,
        job: TrainJob,
        each: Sequence[TrainJob],
        clock: Callable[[], float],
        ranks: Ranks | None = None,
    ):
        self.member, self.job, self._ranks = member, job, ranks
        self.run = Run(job, member.watchers, clock, member.recorder, ranks)
        found = self._resume([own.module for own in each])
        self.nets = [Net(self, own) for own in each]
        self.places: list[int] = []
        if found is not None:
            for net, step in zip(
                self.nets, found.numbers.get("steps", ()), strict=False
            ):
                net.step = step

    def _resume(self, modules: Sequence[nn.Module]) -> RunState | None:
        """Continue from a stored state, if there is one; the modules get its values."""
        if self.run.recorder is None or self.run.recorder.found is None:
            return None
        flat = FlatParameters(modules, stacked=bool(self.job.networks))
        make_slots(self.run.state, self.job, flat.values)
        nets = range(len(modules))
        found = self.run.resume(flat, nets)
        for k in nets:
            flat.release(k)
        return found

    @property
    def cut_short(self) -> bool:
        """Whether the epoch may end before all steps are taken."""
        timed = self.job.stopping.time_limit is not None
        ends = (
            self.member.cancelled
            or self.run.interrupted
            or (timed and self.run.out_of_time)
        )
        if self._ranks is None:
            return ends
        watched = any(watcher.per_batch for watcher in self.run.watchers)
        return self._ranks.any(ends) if timed or watched else ends

    def part_of(self, whole: Tensor) -> Tensor:
        """A copy of the rows of a tensor over the networks that belong to this job."""
        own = whole[self.places]
        return own if self.job.networks else own[0]

    def joint(self, numbers: Sequence[EpochNumbers]) -> EpochNumbers:
        """Results of an epoch: the network's own, or those of an ensemble."""
        if not self.job.networks:
            return numbers[0]
        losses, sums, penalties, *judged = map(list, zip(*numbers, strict=True))
        mean = statistics.fmean
        if self.job.validation is not None:
            valid = torch.stack(evaluate(self.job, self.job.validation)).tolist()
        else:
            n_rows = [_n_left_out(net) for net in self.nets]
            valid = [mean(values, n_rows) for values in judged]
        return EpochNumbers(mean(losses), math.fsum(sums), mean(penalties), *valid)


class Net:
    """A network of the stack.

    Attributes
    ----------
    job : TrainJob
        As if it were a job of its own.
    run : Run
        That of the job that it belongs to.
    step : int
        Number of optimizer steps so far.
    """

    def __init__(self, of: Entry, job: TrainJob):
        self.job, self.run = job, of.run
        self.step = of.run.state.step
        self.n_steps = len(batch_bounds(len(job.rows), job.batch_size))
        schedule = job.schedule
        self.schedule_key = (
            schedule.name,
            tuple(schedule.params.items()),
            schedule.warmup,
            schedule.epochs,
            self.n_steps,
        )


def _n_left_out(net: Net) -> int:
    """Number of rows that a network is validated on; 1 where there are none."""
    rows = net.job.validation
    return 1 if rows is None else len(rows)
