"""Training a stack: many jobs as one network with a leading axis of networks.

What differs between jobs is a tensor over networks: learning rates, penalties, dropout
rates. Each has its own rows and its own random numbers, so that training gives the same
network as training it alone.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sklearn_deep.data._batches import Batch, Rows, epoch_order
from sklearn_deep.data._stacked_rows import StackedRows, plan_steps, shared_features
from sklearn_deep.data.chunks._streamed_rows import StreamedStack, stacked_rows
from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._frozen import begin_training
from sklearn_deep.nn._running import Running
from sklearn_deep.training.checkpoints._recorder import Recorder
from sklearn_deep.training.checkpoints._run_state import RunState
from sklearn_deep.training.job._devices import step_multiply_adds, threads_for
from sklearn_deep.training.job._job import OptimizerSpec, TrainJob, TrainResult
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._seeds import generator, reseed
from sklearn_deep.training.loop._evaluation import evaluate, judge, to_numbers
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.loop._run import EpochNumbers, Watcher, stopwatch
from sklearn_deep.training.ranks._sharing import Sharing
from sklearn_deep.training.stacking._entries import Entry, Member
from sklearn_deep.training.stacking._grouping import reason_not_stackable
from sklearn_deep.training.step._augmenting import Augmenter, augmented_together
from sklearn_deep.training.step._averaging import averaged_weights, averages
from sklearn_deep.training.step._flat import FlatParameters
from sklearn_deep.training.step._random_bits import RandomBits
from sklearn_deep.training.step._step import (
    StackedStep,
    make_slots,
    step_numbers,
)
from sklearn_deep.training.step._vmapped import vmapped_forward

_FEW = 4


def train_stack(members: Sequence[Member]) -> None:
    """Train jobs of one architecture; set the result or the error of each.

    Parameters
    ----------
    members : sequence of Member
        Several, of one ``stack_key``. An error of one leaves the others untouched.
    """
    stack = Stack(members)
    while stack.entries:
        stack.epoch()


def train_by_itself(
    job: TrainJob,
    watchers: Sequence[Watcher] = (),
    recorder: Recorder | None = None,
) -> TrainResult:
    """Train one job: a network, or an ensemble, whose networks are a stack.

    Raises
    ------
    TrainingDivergedError
        When the loss or a weight is no longer finite after an epoch.
    """
    member = Member(job, watchers, recorder)
    stays = member.continues_stack and reason_not_stackable(member) is None
    if not (job.networks or stays):
        return train_alone(job, watchers, recorder)
    multiply_adds = step_multiply_adds(job.module, job.batch_size, job.rows.x)
    with threads_for(multiply_adds, job.rows.device):
        train_stack([member])
    if member.error is not None:
        raise member.error
    assert member.result is not None
    return member.result


class Stack:
    """Networks trained in lockstep, epoch by epoch.

    Attributes
    ----------
    entries : list of Entry
        The jobs that have not ended.
    nets : list of Net
        Their networks.
    """

    def __init__(self, members: Sequence[Member]):
        each = [member.job.each_network() for member in members]
        n_nets = sum(map(len, each))
        self._clock, self._order = _SharedClock(n_nets), torch.Generator()
        # Members are several in other threads only, which train without ranks.
        self._sharing = Sharing.of(members[0].job, stacked=True)
        ranks = None if self._sharing is None else self._sharing.ranks
        features = iter(_placed_features([job for jobs in each for job in jobs]))
        entries = []
        for member, jobs in zip(members, each, strict=True):
            own = [
                dataclasses.replace(job, rows=rows, validation=validation)
                for job, (rows, validation) in zip(jobs, features, strict=False)
            ]
            whole = member.job.to_device() if member.job.networks else own[0]
            try:
                entries.append(Entry(member, whole, own, self._clock, ranks))
            except Exception as error:
                member.error = error
        self._compose(entries)
        if ranks is not None and entries:
            constants = [b for net in self.nets for b in net.job.module.buffers()]
            ranks.tensors_of_first([self._flat.values, *self._slots, *constants])
        for entry in entries:
            if entry.run.stop_reason is not None:
                self._try(entry, self._finish, entry)
        self._part()

    def epoch(self) -> None:
        """Train an epoch; remove the jobs that have finished."""
        for entry in self.entries:
            self._try(entry, entry.run.begin_epoch)
        if self._part():
            return
        if self._average is not None:
            self._average.begin_epoch()
        losses = self._take_steps()
        if self._average is not None:
            self._average.end_epoch()
        numbers = self._numbers(losses)
        for entry in self.entries:
            own = [numbers[k] for k in entry.places]
            self._try(entry, self._end_epoch, entry, own)
        self._part()

    def _compose(self, entries: list[Entry]) -> None:
        """Stack parameters, rows and random bits of the networks of some jobs."""
        self.entries = entries
        # Networks with more rows take more steps and come first in every step. Networks
        # that use the same rows in the same order are adjacent.
        self.nets = sorted(
            (net for entry in entries for net in entry.nets),
            key=lambda n: (-len(n.job.rows), id(n.job.rows.x), n.job.seed),
        )
        self._clock.share(len(self.nets))
        if not entries:
            return
        place_of = {id(net): k for k, net in enumerate(self.nets)}
        for entry in entries:
            entry.places = [place_of[id(net)] for net in entry.nets]
        jobs = [net.job for net in self.nets]
        modules = [job.module for job in jobs]
        self._flat = FlatParameters(modules, stacked=True, frozen=jobs[0].frozen)
        self._load_states()
        self._rows = stacked_rows([job.rows for job in jobs], jobs[0].batch_size)
        self._plan = plan_steps([len(job.rows) for job in jobs], jobs[0].batch_size)
        self._bits = RandomBits([job.seed for job in jobs], jobs[0].rows.device)
        self._augmenters = [Augmenter(job) for job in jobs if job.augmentation]
        self._sections: dict[tuple[int, int], StackedStep] = {}
        self._each_batch = [
            (entry.run, watcher)
            for entry in entries
            for watcher in entry.run.watchers
            if watcher.per_batch
        ]
        self._spec = _joint_spec([job.optimizer for job in jobs])
        self._validations = [
            (
                near,
                StackedRows([job.validation for job in jobs[near] if job.validation]),
            )
            for near in _neighbours([_n_rows(job.validation) for job in jobs])
            if jobs[near.start].validation is not None
        ]

    def _load_states(self) -> None:
        """Copy the optimizer state of each network into the slots of the stack."""
        values = self._flat.values
        n_slots = OPTIMIZERS[self.nets[0].job.optimizer.name].n_slots
        self._slots = [torch.zeros_like(values) for _ in range(n_slots)]
        trained: list[Tensor | None] = [None] * len(self.nets)
        for entry in self.entries:
            state = entry.run.state
            make_slots(state, entry.job, entry.part_of(values))
            if state.step == 0:
                for net in entry.nets:
                    net.step = 0
            for whole, own in zip(self._slots, state.slots, strict=True):
                whole[entry.places] = own.view(len(entry.places), -1)
            if state.weights is not None:
                rows = state.weights.view(len(entry.places), -1)
                for k, row in zip(entry.places, rows, strict=True):
                    trained[k] = row
        self._average = averaged_weights(
            values, [net.job for net in self.nets], trained
        )

    def _save_state(self, entry: Entry) -> None:
        """Let an entry remember its part of the optimizer's state."""
        entry.run.state.slots = [entry.part_of(slot) for slot in self._slots]
        if self._average is not None and averages(entry.job):
            entry.run.state.weights = entry.part_of(self._average.trained)

    def _part(self) -> bool:
        """Remove jobs that have ended, failed or been cancelled."""
        left = [
            entry
            for entry in self.entries
            if not (entry.member.ended or entry.member.cancelled)
        ]
        if len(left) < len(self.entries):
            for entry in left:
                self._save_state(entry)
            self._compose(left)
        return not self.entries

    def _take_steps(self) -> Tensor:
        """Take all steps of the epoch; return the mean loss of each network."""
        self._begin_rows()
        self._bits.begin([net.run.state.epoch for net in self.nets])
        for net, augmenter in zip(self.nets, self._augmenters, strict=False):
            augmenter.begin(net.run.state.epoch)
        numbers = self._epoch_numbers()
        totals = torch.zeros_like(self._flat.values[:, 0])
        seen = np.zeros(len(self.nets))
        for i, groups in enumerate(self._plan):
            mark = self._bits.mark()
            for nets, start, stop in groups:
                self._bits.seek(mark)
                self._bits.nets = nets
                section = self._section(nets)
                batch = self._rows.batch(nets, start, stop)
                if self._augmenters:
                    batch = augmented_together(self._augmenters[nets], batch)
                loss = self._step(section, batch, [_at(n, i, nets) for n in numbers])
                totals[nets].add_(loss, alpha=stop - start)
                seen[nets] += stop - start
            if all(entry.cut_short for entry in self.entries):
                break
        return totals.div_(torch.from_numpy(seen).to(totals))

    def _step(self, section: StackedStep, batch: Batch, numbers: list[Any]) -> Tensor:
        """Take a step with some networks; return the loss of each before it."""
        for run, watcher in self._each_batch:
            watcher.batch_begin(run, batch)
        loss, raw = section.gradient(batch)
        for run, watcher in self._each_batch:
            watcher.gradient_ready(run, batch)
        section.apply(*numbers)
        if self._sharing is not None and self._each_batch:
            raw = self._sharing.of_all_rows(raw)
        for run, watcher in self._each_batch:
            watcher.batch_end(run, batch, loss, raw)
        return loss

    def _begin_rows(self) -> None:
        """Put the rows of each network into the order of its epoch."""
        if isinstance(self._rows, StreamedStack):
            nets = [(net.job.seed, net.run.state.epoch) for net in self.nets]
            self._rows.begin([generator(seed, "order", epoch) for seed, epoch in nets])
        else:
            self._rows.put_in_order(self._orders())

    def _orders(self) -> list[Tensor]:
        """The order of each network's rows; equal orders are one object."""
        orders: dict[tuple, Tensor] = {}
        keys = []
        for net in self.nets:
            rows, epoch = net.job.rows, net.run.state.epoch
            # The order also depends on the lengths of sequences.
            of_lengths = None if rows.lengths is None else rows.lengths.tobytes()
            key = net.job.seed, epoch, len(rows), of_lengths
            keys.append(key)
            if key not in orders:
                reseed(self._order, net.job.seed, "order", epoch)
                orders[key] = epoch_order(rows, net.job.batch_size, self._order)
        return [orders[key] for key in keys]

    def _epoch_numbers(self) -> list[Any]:
        """Coefficients of every step: one for all networks, or tensors over them."""
        most = max(net.n_steps for net in self.nets)
        rates = np.zeros((most, len(self.nets)))
        steps = np.ones((most, len(self.nets)), dtype=np.int64)
        factors: dict[tuple, np.ndarray] = {}
        for k, net in enumerate(self.nets):
            run, state, n = net.run, net.run.state, net.n_steps
            rates[:, k] = run.learning_rate
            if net.job.schedule.moves:
                key = (*net.schedule_key, state.epoch, run.schedule.factor(state.epoch))
                if key not in factors:
                    during = (run.schedule.during(state.epoch, i, n) for i in range(n))
                    factors[key] = np.fromiter(during, float, n)
                rates[:n, k] = net.job.optimizer.learning_rate * factors[key]
                run.learning_rate = float(rates[n - 1, k])
            steps[:, k] = np.arange(net.step + 1, net.step + 1 + most)
            net.step += n
            state.step = net.step
        values = self._flat.values
        exact = values.device.type != "mps"  # which has no float64
        like = values.new_empty((), dtype=torch.float64 if exact else values.dtype)
        return [
            _over_steps(number, rates.shape, like)
            for number in step_numbers(self._spec, rates, steps)
        ]

    def _section(self, nets: slice) -> StackedStep:
        """The ``StackedStep`` of adjacent networks; made on first use."""
        key = nets.start, nets.stop
        if key not in self._sections:
            jobs = [net.job for net in self.nets[nets]]
            sharing = self._sharing
            steps = StackedStep(self._flat, jobs, self._slots, nets, sharing)
            if sharing is None:
                set_source(steps.module, self._bits)
            else:
                sharing.set_source(steps.module, self._bits)
            self._sections[key] = steps
        return self._sections[key]

    def _numbers(self, losses: Tensor) -> list[EpochNumbers]:
        everyone = slice(0, len(self.nets))
        tensors = [losses, self._flat.values.sum(-1), self._section(everyone).penalty()]
        if self._validations:
            judged = losses.new_full((2, len(self.nets)), torch.nan)
            for nets, rows in self._validations:
                judged[:, nets] = torch.stack(self._evaluate(nets, rows))
            tensors += list(judged)
        return to_numbers(tensors)

    def _evaluate(self, nets: slice, rows: StackedRows) -> list[Tensor]:
        """Loss and score of adjacent networks with equal numbers of validation rows."""
        jobs = [net.job for net in self.nets[nets]]
        if len(jobs) < _FEW:  # the fixed cost of vmap equals this many forward passes
            each = [evaluate(job, job.validation) for job in jobs if job.validation]
            return [torch.stack(parts) for parts in zip(*each, strict=True)]
        template = self._section(nets).module.eval()
        with torch.inference_mode(), Running(template):
            batches = list(rows.in_order())
            raw = torch.cat([vmapped_forward(template, b.x) for b in batches], 1)
            y = torch.cat([b.y for b in batches], 1)
            weights = [b.weight for b in batches if b.weight is not None]
            weight = torch.cat(weights, 1) if weights else None
            judged = judge(jobs[0].loss, raw, y, weight)
        begin_training(template, jobs[0].frozen)
        return judged

    def _end_epoch(self, entry: Entry, numbers: Sequence[EpochNumbers]) -> None:
        run = entry.run
        if run.end_epoch(entry.joint(numbers), self._flat, entry.places):
            if entry.job.state is not None:
                self._save_state(entry)
            self._finish(entry)
        elif run.recorder is not None and not entry.cut_short:
            run.recorder.end_epoch(lambda: self._captured(entry))

    def _finish(self, entry: Entry) -> None:
        entry.member.result = entry.run.finish(self._flat, entry.places)

    def _captured(self, entry: Entry) -> RunState:
        self._save_state(entry)
        steps = [net.step for net in entry.nets]
        return entry.run.capture(self._flat, entry.places, steps=steps)

    def _try(self, entry: Entry, call: Callable[..., Any], *args: Any) -> None:
        """Call a function whose failure concerns one job alone."""
        try:
            call(*args)
        except Exception as error:
            entry.member.error = error


class _SharedClock:
    """Clock of a stack, of whose seconds each network gets its share."""

    def __init__(self, n_nets: int):
        self._time, self._n_nets = stopwatch(), n_nets
        self._seconds, self._before = 0.0, 0.0

    def __call__(self) -> float:
        now = self._time()
        self._seconds += (now - self._before) / self._n_nets
        self._before = now
        return self._seconds

    def share(self, n_nets: int) -> None:
        """Continue with another number of networks."""
        self()
        self._n_nets = max(1, n_nets)


def _placed_features(jobs: Sequence[TrainJob]) -> list[tuple[Rows, Rows | None]]:
    """Rows with their features on the device; equal features are stored once."""
    given = [rows for job in jobs for rows in (job.rows, job.validation) if rows]
    own = list({id(rows.x): rows.x for rows in given}.values())
    one = dict(zip(map(id, own), shared_features(own), strict=True))
    device = given[0].device
    there = {id(x): x.to(device) for x in one.values() if isinstance(x, Tensor)}

    def to_device(rows: Rows | None) -> Rows | None:
        if rows is None:
            return None
        shared = one[id(rows.x)]
        return rows.to_device(there.get(id(shared), shared))

    return [(to_device(job.rows), to_device(job.validation)) for job in jobs]  # type: ignore[misc]


def _joint_spec(specs: list[OptimizerSpec]) -> OptimizerSpec:
    """One spec for all: floats where the networks agree, else arrays over them."""

    def joint(numbers: list[float]) -> Any:
        agree = all(number == numbers[0] for number in numbers)
        return numbers[0] if agree else np.array(numbers)

    return dataclasses.replace(
        specs[0],
        momentum=joint([spec.momentum for spec in specs]),
        betas=(
            joint([spec.betas[0] for spec in specs]),
            joint([spec.betas[1] for spec in specs]),
        ),
        weight_decay=joint([spec.weight_decay for spec in specs]),
    )


def _over_steps(number: Any, shape: tuple[int, int], like: Tensor) -> Any:
    """Numbers over steps and networks: floats where networks agree, else tensors."""
    if not isinstance(number, np.ndarray):
        return number
    table = np.broadcast_to(number, shape)
    if (table == table[:, :1]).all():
        return table[:, 0].tolist()
    return torch.tensor(table, dtype=like.dtype, device=like.device).unsqueeze(-1)


def _at(number: Any, step: int, nets: slice) -> Any:
    if isinstance(number, list):
        return number[step]
    return number[step, nets] if isinstance(number, Tensor) else number


def _n_rows(rows: Rows | None) -> int:
    return 0 if rows is None else len(rows)


def _neighbours(sizes: list[int]) -> list[slice]:
    """Runs of adjacent networks of equal size."""
    groups: list[slice] = []
    for k, size in enumerate(sizes):
        if groups and sizes[groups[-1].start] == size:
            groups[-1] = slice(groups[-1].start, k + 1)
        else:
            groups.append(slice(k, k + 1))
    return groups
