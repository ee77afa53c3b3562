"""One step: gradient, penalties, clipping, update, over flat parameters."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._across import NormalizesAcross, sharing_batch
from sklearn_deep.nn._dropout import rate_modules
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._penalties import PENALTIES
from sklearn_deep.nn._running import Running
from sklearn_deep.training.job._job import OptimizerSpec, OptimizerState, TrainJob
from sklearn_deep.training.job._layer_rates import LAYER_RATES
from sklearn_deep.training.job._optimizers import (
    OPTIMIZERS,
    Hyper,
    Number,
    Update,
    clip_,
)
from sklearn_deep.training.ranks._ranks import Ranks
from sklearn_deep.training.ranks._sharing import Sharing
from sklearn_deep.training.step._derived import derived_gradient
from sklearn_deep.training.step._flat import FlatParameters
from sklearn_deep.training.step._vmapped import VmappedGradient

# Values that are updated at once on a CPU: the optimizer's passes over weights,
# gradients, slots and temporaries then stay in the core's own cache.
_PIECE = 1 << 15

# From this many values on, one call per network is faster than passes over many
# networks.
_LARGE = 1 << 14

# Factor of decoupled weight decay, or None, and the coefficients of the update rule.
StepNumbers = tuple[Any, ...]


def step_numbers(spec: OptimizerSpec, learning_rate: Any, step: Any) -> StepNumbers:
    """Compute the coefficients of a step; from arrays, those of many networks.

    Parameters
    ----------
    spec : OptimizerSpec
        Its fields, the name excepted, may be arrays as well.
    learning_rate : float or ndarray
    step : int or ndarray
        Counted from 1.
    """
    keep = None
    if isinstance(spec.weight_decay, float):
        if spec.weight_decay:
            # Decoupled from the gradient (Loshchilov & Hutter, arXiv:1711.05101).
            keep = 1 - learning_rate * spec.weight_decay
    elif spec.weight_decay.any():
        keep = 1 - learning_rate * spec.weight_decay
    hyper = Hyper(learning_rate, spec.momentum, *spec.betas, step)
    return keep, *OPTIMIZERS[spec.name].numbers(hyper)


def fused_update(values: Tensor, spec: OptimizerSpec) -> Update | None:
    """The fused update; None where other updates are faster.

    Small networks are updated many at a time. Coefficients are doubles here.
    """
    large = values.shape[-1] >= _LARGE and values.device.type == "cpu"
    return OPTIMIZERS[spec.name].fused if large else None


def column(numbers: Sequence[float], like: Tensor) -> Number:
    """One number where all networks agree, else a column of them, (n_nets, 1)."""
    if all(number == numbers[0] for number in numbers):
        return numbers[0]
    return torch.tensor(numbers, dtype=like.dtype, device=like.device).unsqueeze(-1)


class StackedStep:
    """Optimizer steps of one network, or of adjacent networks in a stack.

    Parameters
    ----------
    flat : FlatParameters
    jobs : sequence of TrainJob
        Jobs of these networks.
    slots : list of Tensor
        State tensors of the optimizer, each like ``flat.values``.
    nets : slice
        Position of these networks in ``flat``.
    sharing : Sharing or None
        The share of this rank, where several train these networks.
    """

    def __init__(
        self,
        flat: FlatParameters,
        jobs: Sequence[TrainJob],
        slots: list[Tensor],
        nets: slice,
        sharing: Sharing | None = None,
    ):
        self.alone = not flat.stacked
        self._sharing, self._message = sharing, flat.message if self.alone else None
        tensors = [flat.values, flat.gradient, *slots]
        tensors = tensors if self.alone else [tensor[nets] for tensor in tensors]
        self.values, self.gradient_, *slots = tensors
        self.n_penalised = flat.n_penalised
        self.module: nn.Module = flat.template(nets)
        self.loss = self._joint_loss([job.loss for job in jobs])
        self._frozen = jobs[0].frozen
        if not self.alone:
            self._set_rates([job.module for job in jobs])
        self.choose_gradient()
        self.penalties = {
            name: column([job.penalties.get(name, 0.0) for job in jobs], self.values)
            for name in PENALTIES
            if any(name in job.penalties for job in jobs)
        }
        self._pull = _pull(flat, jobs)
        self._weight_mask = _weight_mask(flat, jobs)
        if self._weight_mask is not None:  # momentum of earlier steps would move them
            for slot in slots:
                slot.mul_(self._weight_mask)
        norms = [job.optimizer.gradient_clip or math.inf for job in jobs]
        self._norm = None if min(norms) == math.inf else column(norms, self.values)
        self._set_rule(flat, jobs[0], [self.values, self.gradient_, *slots])

    def _set_rule(
        self, flat: FlatParameters, job: TrainJob, tensors: list[Tensor]
    ) -> None:
        """Choose the optimizer's rule, and the segments that each call of it updates."""
        spec, rates = job.optimizer, job.rates or {}
        self._update: Any = OPTIMIZERS[spec.name].update
        self._fused: Any = fused_update(self.values, spec)
        factors = LAYER_RATES[spec.layer_rates](self.module)
        pairs = {
            name: (factor * rates.get(name, 1.0), rates.get(name, 1.0))
            for name, factor in factors.items()
        }

        def segments(by_decay: bool) -> list[_Segment]:
            return [
                _Segment(factor, place.start < self.n_penalised, rate, tensors, place)
                for place, (factor, rate) in flat.segments(pairs, by_decay)
            ]

        self._segments = segments(by_decay=False)
        # The fused rule takes one weight decay for all values of a call; without weight
        # decay one call updates a whole segment.
        split = self._fused is not None or job.rates is not None
        self._by_decay = segments(by_decay=True) if split else []

    def choose_gradient(self) -> None:
        """Use the hand-derived gradient where there is one: not with hooks."""
        derived: Any = None
        if not self._frozen:
            derived = derived_gradient(self.module, self.loss)
        if derived is None and not self.alone:
            derived = VmappedGradient(self.module, self.loss)
        self._derived = derived
        self._running = Running(self.module)

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Write the gradient of the batch's loss into the flat gradient.

        Returns
        -------
        loss : Tensor, scalar or of shape (n_nets,)
        raw : Tensor of shape (n_batch, n_outputs), or with a leading axis of networks
        """
        if self._sharing is None:
            return self._gradient(batch, 1.0)
        share = self._sharing.share(batch)
        # A gradient by hand has its own batch normalisation, which the mode does not see.
        by_autograd = self._derived is None
        normalizes = NormalizesAcross(self._sharing) if by_autograd else nullcontext()
        with sharing_batch(self._sharing), normalizes:
            loss, raw = self._gradient(share.batch, share.weight)
        if not share.counts:  # not even NaN
            loss = torch.zeros_like(loss)
            self.gradient_.zero_()
        return self._added_up(self._sharing.ranks, loss), raw

    def _added_up(self, ranks: Ranks, loss: Tensor) -> Tensor:
        """Add up gradient and loss over the ranks, in one message."""
        if self._message is None:
            message = torch.cat([self.gradient_.flatten(), loss])
            ranks.add_up(message)
            self.gradient_.copy_(message[: -len(loss)].view_as(self.gradient_))
            return message[-len(loss) :]
        self._message[-1] = loss
        ranks.add_up(self._message)
        return self._message[-1].clone()

    def _gradient(self, batch: Batch, share: float) -> tuple[Tensor, Tensor]:
        """Loss and gradient of a batch, times the share that it is of a larger one."""
        if self._derived is not None:
            with self._running:
                return self._derived(batch, share)
        self.gradient_.zero_()
        with self._running:
            raw = self.module(batch.x)
        values = self.loss.training_rows(raw, batch.y)
        if batch.weight is not None:
            values = values * batch.weight
        loss = values.mean() if share == 1.0 else values.sum() * (share / len(values))
        loss.backward()
        return loss.detach(), raw.detach()

    def complete(self) -> None:
        """Add the gradients of all terms beside the loss; zero that of masked weights."""
        if self.penalties:
            self.penalise()
        if self._pull is not None:
            strength, center = self._pull
            self.gradient_.add_((self.values - center).mul_(strength))
        if self._weight_mask is not None:
            self.gradient_.mul_(self._weight_mask)

    def penalise(self) -> None:
        """Add the gradients of the penalties."""
        n = self.n_penalised
        gradient, weights = self.gradient_[..., :n], self.values[..., :n]
        for name, strength in self.penalties.items():
            PENALTIES[name].add_gradient(gradient, weights, strength)

    def penalty(self) -> Tensor:
        """Value of the penalties, as a tensor: a scalar, or of shape (n_nets,)."""
        weights = self.values[..., : self.n_penalised]
        total = torch.zeros_like(self.values[..., 0])
        for name, strength in self.penalties.items():
            of_each = strength.squeeze(-1) if isinstance(strength, Tensor) else strength
            total = total + PENALTIES[name].value(weights, of_each)
        return total

    def apply(self, keep: Number | None, *numbers: Number) -> None:
        """Update the weights from the current gradient."""
        self.complete()
        if self._norm is not None:
            clip_(self.gradient_, self._norm)
        if self._fused is not None:
            self._apply_fused(keep, *numbers)
            return
        if keep is not None:
            self._decay(keep if self.alone else _rounded(keep, self.values.dtype))
        for segment in self._segments:
            own = numbers if segment.factor == 1.0 else segment.scaled(numbers)
            if not self.alone:
                own = [_rounded(number, self.values.dtype) for number in own]
            for nets, weights, gradient, slots in segment.pieces:
                of_piece = own if nets is None else [_of(n, nets) for n in own]
                self._update(weights, gradient, slots, *of_piece)

    def _decay(self, keep: Number) -> None:
        """Multiply the weights by the factor of decoupled weight decay."""
        if not self._by_decay:
            self.values[..., : self.n_penalised].mul_(keep)
        for segment in self._by_decay:
            if segment.decays:
                segment.weights.mul_(segment.kept(keep))

    def _apply_fused(self, keep: Number | None, *numbers: Number) -> None:
        """Update the weights by the fused rule: of all networks at once where they agree."""
        keep = 1.0 if keep is None else keep
        if self.alone or not any(isinstance(n, Tensor) for n in (keep, *numbers)):
            self._apply_to(None, keep, numbers)
            return
        n_nets = len(self._segments[0].nets[0])
        of_each = [
            n.flatten().tolist() if isinstance(n, Tensor) else [n] * n_nets
            for n in (keep, *numbers)
        ]
        for k, (own_keep, *own) in enumerate(zip(*of_each, strict=True)):
            self._apply_to(slice(k, k + 1), own_keep, own)

    def _apply_to(
        self, nets: slice | None, keep: Number, numbers: Sequence[Number]
    ) -> None:
        """Update some networks, or all, by the fused rule with one set of numbers."""
        for segment in self._segments if keep == 1.0 else self._by_decay:
            tensors = segment.nets if nets is None else [t[nets] for t in segment.nets]
            weights, gradients, *slots = tensors
            own_keep = segment.kept(keep) if segment.decays else 1.0
            of_segment = segment.scaled(numbers)
            self._fused(own_keep, weights, gradients, slots, *of_segment)

    def _joint_loss(self, losses: list[Loss]) -> Loss:
        smoothing = column([loss.smoothing for loss in losses], self.values)
        if isinstance(smoothing, Tensor):
            smoothing = smoothing.unsqueeze(-1)
        return dataclasses.replace(losses[0], smoothing=smoothing)

    def _set_rates(self, modules: Sequence[nn.Module]) -> None:
        """Set the dropout rates of the template, one per network."""
        own = [rate_modules(module) for module in modules]
        for i, layer in enumerate(rate_modules(self.module)):
            rates = [layers[i].rate if layers else 0.0 for layers in own]
            joint = column(rates, self.values)
            layer.rate = joint.squeeze(-1) if isinstance(joint, Tensor) else joint


def _pull(
    flat: FlatParameters, jobs: Sequence[TrainJob]
) -> tuple[Number, Tensor] | None:
    """Strength and flat centre of the proximal terms; None without any."""
    pulls = [job.proximal for job in jobs]
    if all(pull is None for pull in pulls):
        return None
    rows = [flat.flattened(pull.center if pull else {}, 0.0) for pull in pulls]
    strengths = column([pull.strength if pull else 0.0 for pull in pulls], rows[0])
    return strengths, torch.stack(rows) if flat.stacked else rows[0]


def _weight_mask(flat: FlatParameters, jobs: Sequence[TrainJob]) -> Tensor | None:
    """Flat mask: 1 where a value is trained, 0 where it is fixed; None for all 1."""
    if all(job.weight_mask is None for job in jobs):
        return None
    rows = [flat.flattened(job.weight_mask or {}, 1.0) for job in jobs]
    return torch.stack(rows) if flat.stacked else rows[0]


def _rounded(number: Number, dtype: torch.dtype) -> Number:
    """A coefficient in the dtype of the weights, as which a float is taken anyway."""
    return number.to(dtype) if isinstance(number, Tensor) else number


def _of(number: Number, nets: slice) -> Number:
    return number[nets] if isinstance(number, Tensor) else number


class _Segment:
    """Adjacent values of each network with one factor on the learning rate.

    Attributes
    ----------
    factor : float
    decays : bool
        Whether weight decay applies.
    rate : float
        Factor on the weight decay.
    weights : Tensor
        The values of all networks.
    nets : list of list of Tensor
        Weights, gradients and each slot: lists over the networks.
    pieces : list of (nets, weights, gradient, slots)
        Parts of several networks that are updated one after the other.
    """

    def __init__(
        self,
        factor: float,
        decays: bool,
        rate: float,
        tensors: list[Tensor],
        place: slice,
    ):
        self.factor, self.decays, self.rate = factor, decays, rate
        parts = [tensor[..., place] for tensor in tensors]
        self.weights = parts[0]
        self.pieces = list(_pieces(parts))
        alone = parts[0].ndim == 1
        self.nets = [[part] if alone else list(part.unbind()) for part in parts]

    def scaled(self, numbers: Sequence[Number]) -> list[Number]:
        """Coefficients of the rule, of which the first is a learning rate."""
        return [numbers[0] * self.factor, *numbers[1:]]

    def kept(self, keep: Number) -> Number:
        """Factor of weight decay at the rate of this segment."""
        return keep if self.rate == 1.0 else 1 - (1 - keep) * self.rate


def _pieces(
    tensors: list[Tensor],
) -> Iterator[tuple[slice | None, Tensor, Tensor, list]]:
    """Pieces of weights, gradients and slots that are updated one after the other."""
    values = tensors[0]
    size = _PIECE if values.device.type == "cpu" else values.numel()
    if values.ndim == 1:
        for weights, gradient, *slots in zip(
            *(tensor.split(size) for tensor in tensors), strict=True
        ):
            yield None, weights, gradient, slots
        return
    n_rows = max(1, size // max(1, values.shape[1]))
    for start in range(0, len(values), n_rows):
        nets = slice(start, start + n_rows)
        parts = [tensor[nets].split(size, 1) for tensor in tensors]
        for weights, gradient, *slots in zip(*parts, strict=True):
            yield nets, weights, gradient, slots


def make_slots(state: OptimizerState, job: TrainJob, values: Tensor) -> list[Tensor]:
    """Slots of an optimizer state; new ones are zeros like ``values``."""
    n_slots = OPTIMIZERS[job.optimizer.name].n_slots
    if len(state.slots) != n_slots:
        state.slots = [torch.zeros_like(values) for _ in range(n_slots)]
        state.step = 0  # bias correction counts the steps that averages have seen
    return state.slots


class SingleStep(StackedStep):
    """Optimizer steps of one job: ``step(batch, learning_rate) -> loss``."""

    def __init__(
        self,
        job: TrainJob,
        state: OptimizerState | None = None,
        sharing: Sharing | None = None,
    ):
        self.flat = FlatParameters([job.module], frozen=job.frozen)
        self.spec = job.optimizer
        self.state = state or OptimizerState()
        make_slots(self.state, job, self.flat.values)
        super().__init__(self.flat, [job], self.state.slots, slice(0, 1), sharing)

    def update(self, learning_rate: float) -> None:
        """Update the weights from the current gradient."""
        self.state.step += 1
        self.apply(*step_numbers(self.spec, learning_rate, self.state.step))

    def step(self, batch: Batch, learning_rate: float) -> Tensor:
        """Take one step and return the batch's loss before it, as a tensor."""
        loss, _ = self.gradient(batch)
        self.update(learning_rate)
        return loss
