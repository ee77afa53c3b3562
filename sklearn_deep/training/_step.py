"""One step: gradient, penalties, clipping, update, over flat parameters."""

import torch
from torch import Tensor, nn

from sklearn_deep.data._batches import Batch
from sklearn_deep.nn._losses import Loss
from sklearn_deep.nn._penalties import PENALTIES
from sklearn_deep.training._derived import derived_gradient
from sklearn_deep.training._job import OptimizerSpec, OptimizerState, TrainJob
from sklearn_deep.training._optimizers import OPTIMIZERS, Hyper, clip_, decay_


class FlatParameters:
    """The trainable parameters of a module as one tensor, and their gradients.

    The module's parameters become views of ``values`` and their gradients views of
    ``gradient``, so that a penalty, a norm, an update or a snapshot is one
    operation, whatever the number of layers. The first ``n_penalised`` values are
    weights (two or more dimensions); biases and normalisation follow.
    """

    def __init__(self, module: nn.Module):
        params = [p for p in module.parameters() if p.requires_grad]
        self._params = sorted(params, key=lambda p: p.ndim < 2)
        self._buffers = list(module.buffers())
        with torch.no_grad():
            self.values = torch.cat([p.reshape(-1) for p in self._params])
        self.gradient = torch.zeros_like(self.values)
        self.n_penalised = sum(p.numel() for p in self._params if p.ndim >= 2)
        start = 0
        for p in self._params:
            stop = start + p.numel()
            p.data = self.values[start:stop].view_as(p)
            p.grad = self.gradient[start:stop].view_as(p)
            start = stop

    def snapshot(self) -> list[Tensor]:
        """A copy of all values and buffers."""
        return [self.values.clone(), *(b.clone() for b in self._buffers)]

    def restore(self, snapshot: list[Tensor]) -> None:
        """Put a snapshot back."""
        for tensor, saved in zip([self.values, *self._buffers], snapshot, strict=True):
            tensor.copy_(saved)

    def release(self) -> None:
        """Give the module's parameters memory of their own again."""
        for p in self._params:
            p.data = p.data.clone()
            p.grad = None


# Values that are updated at once on a CPU: the optimizer's passes over weights,
# gradients, slots and temporaries then stay in the core's own cache.
_PIECE = 1 << 15


class Stepper:
    """Takes the steps of one job: ``step(batch, learning_rate) -> loss``."""

    def __init__(self, job: TrainJob):
        self.module: nn.Module = job.module
        self.loss: Loss = job.loss
        self.spec: OptimizerSpec = job.optimizer
        self.penalties = job.penalties
        self.flat = FlatParameters(job.module)
        self.choose_gradient()
        row = OPTIMIZERS[self.spec.name]
        self._update = row.update
        self.state = job.state or OptimizerState()
        if len(self.state.slots) != row.n_slots:
            self.state.slots = [
                torch.zeros_like(self.flat.values) for _ in range(row.n_slots)
            ]
        values, gradient = self.flat.values, self.flat.gradient
        size = _PIECE if values.device.type == "cpu" else values.numel()
        columns = [
            tensor.split(size) for tensor in (values, gradient, *self.state.slots)
        ]
        self._pieces = [(w, g, slots) for w, g, *slots in zip(*columns, strict=True)]

    def choose_gradient(self) -> None:
        """Derive the gradient by hand where that can be; hooks need the module itself."""
        self._derived = derived_gradient(self.module, self.loss)

    def gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Put the gradient of the batch's loss into ``flat.gradient``.

        Returns
        -------
        loss : Tensor, scalar
        raw : Tensor of shape (n_batch, n_outputs)
        """
        if self._derived is not None:
            return self._derived(batch)
        self.flat.gradient.zero_()
        raw = self.module(batch.x)
        values = self.loss.training_rows(raw, batch.y)
        if batch.weight is not None:
            values = values * batch.weight
        loss = values.mean()
        loss.backward()
        return loss.detach(), raw.detach()

    def penalise(self) -> None:
        """Add the gradients of the penalties."""
        n = self.flat.n_penalised
        for name, strength in self.penalties.items():
            PENALTIES[name].add_gradient(
                self.flat.gradient[:n], self.flat.values[:n], strength
            )

    def penalty(self) -> Tensor:
        """Value of the penalties, as a tensor."""
        weights = self.flat.values[: self.flat.n_penalised]
        values = [PENALTIES[k].value(weights, v) for k, v in self.penalties.items()]
        return sum(values, torch.zeros((), dtype=weights.dtype, device=weights.device))

    def update(self, learning_rate: float) -> None:
        """Change the weights by the gradient that is there."""
        spec, flat, state = self.spec, self.flat, self.state
        if self.penalties:
            self.penalise()
        if spec.gradient_clip is not None:
            clip_(flat.gradient, spec.gradient_clip)
        if spec.weight_decay:
            decay_(flat.values[: flat.n_penalised], learning_rate, spec.weight_decay)
        state.step += 1
        hyper = Hyper(learning_rate, spec.momentum, *spec.betas, state.step)
        assert self._update is not None
        for weights, gradient, slots in self._pieces:
            self._update(weights, gradient, slots, hyper)

    def step(self, batch: Batch, learning_rate: float) -> Tensor:
        """Take one step and return the batch's loss before it, as a tensor."""
        loss, _ = self.gradient(batch)
        self.update(learning_rate)
        return loss
