"""Learning rates by parameter, and averages of the weights, against torch."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

from sklearn_deep.data._batches import Rows
from sklearn_deep.nn._losses import Loss
from sklearn_deep.training.job._job import OptimizerSpec, OptimizerState, TrainJob
from sklearn_deep.training.job._layer_rates import LAYER_RATES
from sklearn_deep.training.job._optimizers import OPTIMIZERS
from sklearn_deep.training.job._schedules import ScheduleSpec
from sklearn_deep.training.job._stopping import StoppingSpec
from sklearn_deep.training.loop._loop import train_alone
from sklearn_deep.training.loop._run import Watcher
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import stack_key
from sklearn_deep.training.stacking._stack import train_stack

RATE, DECAY, BETAS = 0.02, 0.3, (0.85, 0.97)

# Large networks are updated by the fused rule, small ones in pieces.
WIDTHS = [4, 140]


def network(width, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(3, width),
        nn.Tanh(),
        nn.Linear(width, width),
        nn.LayerNorm(width),
        nn.Tanh(),
        nn.Linear(width, 2),
    ).double()


def job(module, seed=0, epochs=4, **optimizer):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, dtype=torch.float64, generator=g)
    y = torch.randn(12, 2, dtype=torch.float64, generator=g)
    spec = {"name": "adamw", "learning_rate": RATE, "betas": BETAS, **optimizer}
    return TrainJob(
        owner="Net",
        module=module,
        rows=Rows(x, y, None),
        loss=Loss.make("Net", "squared_error", "real", None),
        optimizer=OptimizerSpec(**spec),
        schedule=ScheduleSpec.make("Net", "constant", None, 0, epochs),
        stopping=StoppingSpec(epochs),
        penalties={},
        batch_size=12,
        seed=seed,
        architecture_key="net",
    )


def torch_steps(module, data, n_steps, factors):
    """Steps of torch's AdamW with a group for each parameter; all weights after each."""
    groups = [
        # Decay is by the rate of the whole network: torch multiplies by the group's.
        {
            "params": [p],
            "lr": RATE * f,
            "weight_decay": DECAY / f if p.ndim > 1 else 0.0,
        }
        for p, f in zip(module.parameters(), factors, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, betas=BETAS)
    after = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        (module(data.x) - data.y).square().mean(1).mean().backward()
        optimizer.step()
        after.append([p.detach().clone() for p in module.parameters()])
    return after


def close(module, expected):
    for p, other in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(p.detach(), other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("width", WIDTHS)
def test_rates_by_fan_in_are_groups_of_torch(width):
    slow = 0.1  # biases and normalisation
    factors = [1 / math.sqrt(3), slow, 1 / math.sqrt(width), slow, slow, slow]
    factors += [1 / math.sqrt(width), slow]
    module = network(width)
    task = job(module, weight_decay=DECAY, layer_rates="fan_in")
    expected = torch_steps(copy.deepcopy(module), task.rows, 4, factors)
    close(train_alone(task).module, expected[-1])


@pytest.mark.parametrize("name", LAYER_RATES)
def test_every_parameter_has_a_rate(name):
    module = network(4)
    factors = LAYER_RATES[name](module)
    assert factors.keys() == {name for name, _ in module.named_parameters()}
    assert all(0 < factor <= 1 for factor in factors.values())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("rule", [n for n, row in OPTIMIZERS.items() if row.update])
@pytest.mark.parametrize("averaging", [0.0, 0.7])
def test_rates_and_averages_are_the_same_in_a_stack(rule, averaging, width):
    """Networks of a stack may average their weights by shares of their own."""

    def jobs():
        own = {"name": rule, "layer_rates": "fan_in", "weight_decay": 0.1}
        return [
            job(network(width, k), k, learning_rate=RATE / (k + 1), **own, averaging=a)
            for k, a in enumerate((averaging, 0.0, averaging / 2))
        ]

    members = [Member(one) for one in jobs()]
    assert len({stack_key(member.job) for member in members}) == 1
    train_stack(members)
    for member, one in zip(members, jobs(), strict=True):
        close(member.result.module, list(train_alone(one).module.parameters()))


def test_networks_with_rates_of_another_kind_are_not_stacked():
    one, other = (job(network(4), layer_rates=name) for name in LAYER_RATES)
    assert stack_key(one) != stack_key(other)


class Sees(Watcher):
    """Keeps the weights that the module has after each epoch."""

    def __init__(self):
        self.seen = []

    def epoch_end(self, run, row):
        self.seen.append([p.detach().clone() for p in run.job.module.parameters()])
        return False


def averages_of(after, share):
    """Averages after each epoch, of the weights after each."""
    average, result = after[0], []
    for weights in after:
        average = [
            share * a + (1 - share) * w for a, w in zip(average, weights, strict=True)
        ]
        result.append(average)
    return result


@pytest.mark.parametrize("width", WIDTHS)
def test_the_module_has_the_average_of_the_weights_after_each_epoch(width):
    module, sees = network(width), Sees()
    task = job(module, weight_decay=DECAY, averaging=0.7)
    n_parameters = len(list(module.parameters()))
    after = torch_steps(copy.deepcopy(module), task.rows, 4, [1.0] * n_parameters)
    expected = averages_of(after, 0.7)
    close(train_alone(task, [sees]).module, expected[-1])
    for seen, average in zip(sees.seen, expected, strict=True):
        torch.testing.assert_close(seen, average, rtol=1e-10, atol=1e-10)


def test_the_best_epoch_is_that_of_the_averages():
    module, sees = network(4), Sees()
    task = job(module, epochs=30, averaging=0.8, learning_rate=0.3)
    validation = job(module, seed=1).rows
    stopping = StoppingSpec(30, restore_best=True, on_validation=True)
    task = dataclasses.replace(task, validation=validation, stopping=stopping)
    result = train_alone(task, [sees])
    assert 1 < result.best_epoch < 30
    close(result.module, sees.seen[result.best_epoch - 1])
    with torch.no_grad():
        loss = (result.module(validation.x) - validation.y).square().mean().item()
    assert result.history[result.best_epoch - 1]["valid_loss"] == pytest.approx(loss)


@pytest.mark.parametrize("together", [False, True])
def test_averages_go_on_from_one_call_to_the_next(together):
    """The weights in training are remembered beside the averages."""
    expected = train_alone(job(network(4), epochs=6, averaging=0.7)).module
    module, state = network(4), OptimizerState()
    for _ in range(2):
        task = dataclasses.replace(job(module, epochs=3, averaging=0.7), state=state)
        if together:
            members = [Member(task), Member(job(network(4, 1), 1, averaging=0.7))]
            train_stack(members)
            state = members[0].result.state
        else:
            state = train_alone(task).state
    close(module, list(expected.parameters()))
