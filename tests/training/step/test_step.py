"""Flat parameters, and a step against autograd."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._job import OptimizerSpec, OptimizerState, TrainJob
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.step._flat import FlatParameters
from sklearn_deep.training.step._products import padded_size
from sklearn_deep.training.step._step import SingleStep, StackedStep, step_numbers


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)
    ).double()


def rows(n=12, weight=None):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, 3, dtype=torch.float64, generator=g)
    return Rows(x, torch.randn(n, 2, dtype=torch.float64, generator=g), weight)


def job(module, data, penalties=(), **optimizer):
    return TrainJob(
        owner="Net",
        module=module,
        rows=data,
        loss=Loss.make("Net", "squared_error", "real", None),
        optimizer=OptimizerSpec(**{"name": "sgd", "learning_rate": 0.1, **optimizer}),
        schedule=ScheduleSpec.make("Net", "constant", None, 0, 5),
        stopping=StoppingSpec(5),
        penalties=dict(penalties),
        batch_size=len(data),
        seed=0,
    )


def test_parameters_and_gradients_are_views_of_the_flat_tensors():
    module = network()
    flat = FlatParameters([module])
    flat.values.fill_(2.0)
    flat.gradient.fill_(3.0)
    for parameter in module.parameters():
        assert (parameter == 2).all()
        assert (parameter.grad == 3).all()


def test_only_weights_stand_in_the_penalised_part():
    module = network()
    flat = FlatParameters([module])
    assert flat.n_penalised == sum(
        padded_size(n, torch.float64) for n in (3 * 5, 5 * 2)
    )
    flat.values[: flat.n_penalised] = 7.0
    assert (module[0].weight == 7).all()
    assert (module[3].weight == 7).all()
    assert not (module[0].bias == 7).any()
    assert (module[1].weight == 1).all()


def test_frozen_parameters_are_left_out():
    module = network()
    module[0].weight.requires_grad_(False)
    flat = FlatParameters([module])
    names = {name for name, _ in module.named_parameters()} - {"0.weight"}
    assert flat.by_name(flat.values).keys() == names
    sizes = [p.numel() for p in module.parameters() if p.requires_grad]
    assert flat.values.numel() == sum(padded_size(n, torch.float64) for n in sizes)


def test_every_parameter_begins_at_a_boundary_in_memory_and_zeros_stand_between():
    module = network()
    flat = FlatParameters([module])
    start = flat.values.data_ptr()
    assert all((p.data_ptr() - start) % 128 == 0 for p in module.parameters())
    outside = flat.flattened(dict(module.named_parameters()), 0.0)
    assert torch.equal(outside, flat.values)


def test_a_snapshot_brings_values_and_buffers_back():
    module = network()
    flat = FlatParameters([module])
    before = copy.deepcopy(module.state_dict())
    snapshot = flat.snapshot()
    module(torch.randn(4, 3, dtype=torch.float64))  # moves the running moments
    flat.values.add_(1.0)
    flat.restore(snapshot)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_release_gives_each_parameter_memory_of_its_own():
    module = network()
    flat = FlatParameters([module])
    flat.release()
    flat.values.fill_(9.0)
    for parameter in module.parameters():
        assert not (parameter == 9).any()
        assert parameter.grad is None
        assert parameter.untyped_storage().nbytes() == parameter.numel() * 8


def test_a_step_is_gradient_descent_on_the_penalised_weighted_loss():
    weight = torch.linspace(0.2, 1.8, 12, dtype=torch.float64)
    module, data = network(), rows(weight=weight)
    reference = copy.deepcopy(module)
    l1, l2, decay, rate = 0.03, 0.2, 0.4, 0.1
    stepper = SingleStep(job(module, data, {"l1": l1, "l2": l2}, weight_decay=decay))
    stepper.step(data.all(), rate)

    error = (reference(data.x) - data.y).square().mean(1)
    objective = (weight * error).mean()
    weights = [p for p in reference.parameters() if p.ndim > 1]
    for w in weights:
        objective = objective + l1 * w.abs().sum() + 0.5 * l2 * w.square().sum()
    objective.backward()
    with torch.no_grad():
        for p in reference.parameters():
            shrunk = p * (1 - rate * decay) if p.ndim > 1 else p
            p.copy_(shrunk - rate * p.grad)
    for ours, expected in zip(module.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=1e-12)


def test_the_value_of_the_penalties_is_what_their_gradients_belong_to():
    module, data = network(), rows()
    stepper = SingleStep(job(module, data, {"l1": 0.3, "l2": 0.7}))
    stepper.flat.gradient.zero_()
    stepper.penalise()
    weights = stepper.flat.values.clone().requires_grad_()
    part = weights[: stepper.flat.n_penalised]
    (0.3 * part.abs().sum() + 0.35 * part.square().sum()).backward()
    assert torch.allclose(stepper.flat.gradient, weights.grad)
    assert stepper.penalty().item() > 0


def test_updating_in_pieces_is_updating_at_once(monkeypatch):
    results = []
    for piece in (4, 10_000):
        monkeypatch.setattr("sklearn_deep.training.step._step._PIECE", piece)
        module, data = network(), rows()
        stepper = SingleStep(job(module, data, name="adam"))
        for _ in range(5):
            stepper.step(data.all(), 0.01)
        results.append(stepper.flat.values.clone())
    assert torch.equal(*results)


def test_slots_that_are_new_remember_no_steps():
    module, data = network(), rows()
    state = OptimizerState(step=7, epoch=2)
    stepper = SingleStep(job(module, data, name="adam"), state)
    assert (state.step, state.epoch) == (0, 2)
    other = SingleStep(job(network(), data, name="adam"))
    for one in (stepper, other):
        one.step(data.all(), 0.01)
    assert torch.equal(stepper.flat.values, other.flat.values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_networks_with_and_without_decay_have_the_same_bits_in_a_stack(
    dtype, monkeypatch
):
    monkeypatch.setattr("sklearn_deep.training.step._step._LARGE", 1)
    jobs = [
        job(nn.Linear(37, 31).to(dtype), rows(), name="adamw", weight_decay=decay)
        for decay in (0.1, 0.0)
    ]
    flat = FlatParameters([copy.deepcopy(task.module) for task in jobs], stacked=True)
    slots = [torch.zeros_like(flat.values) for _ in range(2)]
    stack = StackedStep(flat, jobs, slots, slice(0, 2))
    alone = [SingleStep(task) for task in jobs]
    spec = dataclasses.replace(jobs[0].optimizer, weight_decay=np.array([0.1, 0.0]))
    for step in range(1, 11):
        flat.gradient.normal_(generator=torch.Generator().manual_seed(step))
        for single, gradient in zip(alone, flat.gradient, strict=True):
            single.flat.gradient.copy_(gradient)
            single.update(0.01)
        numbers = step_numbers(spec, np.full(2, 0.01), np.full(2, step))
        columns = [torch.tensor(number, dtype=torch.float64) for number in numbers]
        stack.apply(*(number.expand(2)[:, None] for number in columns))
    for single, values in zip(alone, flat.values, strict=True):
        assert torch.equal(single.flat.values, values)
