"""Every update rule against torch's own optimizer."""

import numpy as np
import pytest
import torch

from sklearn_deep.training.job._job import OptimizerSpec
from sklearn_deep.training.job._optimizers import OPTIMIZERS, Hyper, clip_
from sklearn_deep.training.step._step import step_numbers

RATE, MOMENTUM, BETAS = 0.05, 0.8, (0.85, 0.97)

TORCH = {
    "sgd": lambda p, wd: torch.optim.SGD(p, RATE),
    "gd": lambda p, wd: torch.optim.SGD(p, RATE),
    "momentum": lambda p, wd: torch.optim.SGD(p, RATE, momentum=MOMENTUM),
    "nesterov": lambda p, wd: torch.optim.SGD(
        p, RATE, momentum=MOMENTUM, nesterov=True
    ),
    "rmsprop": lambda p, wd: torch.optim.RMSprop(p, RATE, alpha=BETAS[1]),
    "adam": lambda p, wd: torch.optim.Adam(p, RATE, betas=BETAS),
    "adamw": lambda p, wd: torch.optim.AdamW(p, RATE, betas=BETAS, weight_decay=wd),
}
STEPPING = [name for name, row in OPTIMIZERS.items() if row.update]


def gradient_of(w):
    """Gradient of a bent valley."""
    return torch.stack([4 * w[0] ** 3 - w[1], 2 * w[1] - w[0] + torch.sin(w[1])])


def trajectory_ours(name, steps, weight_decay=0.0):
    w = torch.tensor([1.3, -0.7], dtype=torch.float64)
    slots = [torch.zeros_like(w) for _ in range(OPTIMIZERS[name].n_slots)]
    for step in range(1, steps + 1):
        g = gradient_of(w)
        spec = OptimizerSpec(name, RATE, MOMENTUM, BETAS, weight_decay)
        keep, *numbers = step_numbers(spec, RATE, step)
        w.mul_(1.0 if keep is None else keep)
        OPTIMIZERS[name].update(w, g, slots, *numbers)
    return w


def trajectory_torch(name, steps, weight_decay=0.0):
    w = torch.tensor([1.3, -0.7], dtype=torch.float64, requires_grad=True)
    optimizer = TORCH[name]([w], weight_decay)
    for _ in range(steps):
        w.grad = gradient_of(w.detach())
        optimizer.step()
    return w.detach()


@pytest.mark.parametrize("name", STEPPING)
def test_the_update_is_that_of_torch(name):
    assert torch.allclose(
        trajectory_ours(name, 20), trajectory_torch(name, 20), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("name", STEPPING)
def test_the_coefficients_of_a_step_have_the_same_bits_for_one_network_and_for_many(
    name,
):
    spec = OptimizerSpec(name, RATE, MOMENTUM, (0.9, 0.999), 0.1)
    steps = np.arange(1, 1001)
    of_many = step_numbers(spec, np.full(1000, RATE), steps)
    of_one = zip(*(step_numbers(spec, RATE, int(k)) for k in steps), strict=True)
    for many, one in zip(of_many, of_one, strict=True):
        np.testing.assert_array_equal(np.broadcast_to(many, 1000), one)


def test_weight_decay_is_decoupled_as_in_adamw():
    ours = trajectory_ours("adamw", 20, weight_decay=0.3)
    assert torch.allclose(ours, trajectory_torch("adamw", 20, 0.3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in STEPPING if OPTIMIZERS[n].fused])
def test_a_single_pass_is_that_of_torch(name):
    w, other = (torch.tensor(x, dtype=torch.float64) for x in ([1.3, -0.7], [0.2, 0.4]))
    slots = [[torch.zeros_like(w) for _ in range(2)] for _ in range(2)]
    for step in range(1, 21):
        spec = OptimizerSpec(name, RATE, MOMENTUM, BETAS, 0.3)
        keep, *numbers = step_numbers(spec, RATE, step)
        gradients = [gradient_of(w), gradient_of(other)]
        OPTIMIZERS[name].fused(keep, [w, other], gradients, slots, *numbers)
    expected = trajectory_torch("adamw", 20, 0.3)
    assert torch.allclose(w, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", STEPPING)
def test_networks_in_a_stack_are_updated_as_if_alone(name):
    """The numbers may be tensors over a leading axis of networks."""
    g = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 5, dtype=torch.float64, generator=g)
    gradients = torch.randn(4, 3, 5, dtype=torch.float64, generator=g)
    rates, momenta = np.array([0.1, 0.01, 0.5]), np.array([0.0, 0.5, 0.9])
    steps = np.array([1, 7, 3])  # how many each has taken

    row = OPTIMIZERS[name]
    stacked = weights.clone()
    slots = [torch.zeros_like(stacked) for _ in range(row.n_slots)]
    for i, grads in enumerate(gradients):
        numbers = row.numbers(Hyper(rates, momenta, 0.9, np.full(3, 0.99), steps + i))
        columns = [
            torch.from_numpy(n)[:, None] if isinstance(n, np.ndarray) else n
            for n in numbers
        ]
        row.update(stacked, grads, slots, *columns)
    for k in range(3):
        alone = weights[k].clone()
        slots = [torch.zeros_like(alone) for _ in range(row.n_slots)]
        for i, grads in enumerate(gradients):
            step = int(steps[k]) + i
            hyper = Hyper(float(rates[k]), float(momenta[k]), 0.9, 0.99, step)
            row.update(alone, grads[k], slots, *row.numbers(hyper))
        assert torch.allclose(stacked[k], alone, rtol=0, atol=1e-14)


def test_clipping_shortens_long_gradients_and_leaves_short_ones():
    long, short = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
    clip_(long, 1.0)
    clip_(short, 1.0)
    assert torch.allclose(long, torch.tensor([0.6, 0.8]), atol=1e-6)
    assert torch.equal(short, torch.tensor([0.3, 0.4]))
    both = torch.tensor([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]])
    clip_(both, torch.tensor([[1.0], [10.0], [torch.inf]]))
    expected = torch.tensor([[0.6, 0.8], [3.0, 4.0], [3.0, 4.0]])
    assert torch.allclose(both, expected, atol=1e-6)
