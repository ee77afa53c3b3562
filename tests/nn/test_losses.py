"""Every row of the table of losses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
)

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._losses import LOSSES, Loss, probabilities

N, WIDTH = 40, {"sigmoid": 3, "softmax": 4, "real": 2}
EVERY = pytest.mark.parametrize(("name", "kind"), LOSSES, ids="-".join)


def data(kind, name):
    g = torch.Generator().manual_seed(0)
    raw_width = WIDTH[kind] * LOSSES[name, kind].raw_per_target
    raw = torch.randn(N, raw_width, dtype=torch.float64, generator=g)
    if kind == "softmax":
        return raw, torch.randint(0, WIDTH[kind], (N,), generator=g)
    target = torch.rand(N, WIDTH[kind], dtype=torch.float64, generator=g)
    return raw, (target > 0.4).double() if kind == "sigmoid" else 3 * target


def make(name, kind, smoothing=0.0, **params):
    return Loss.make("Net", name, kind, params, smoothing)


def one_hot(target, n=4):
    return F.one_hot(target, n).double()


def focal(p, t, gamma):
    """Lin et al.: -(1 - p_t)^gamma log(p_t), p_t the probability of what is true."""
    p_t = torch.where(t > 0.5, p, 1 - p)
    return -((1 - p_t) ** gamma) * p_t.log()


EXPECTED = {
    ("log_loss", "sigmoid"): lambda r, t: F.binary_cross_entropy(torch.sigmoid(r), t),
    ("log_loss", "softmax"): lambda r, t: log_loss(t, torch.softmax(r, 1)),
    ("brier", "sigmoid"): lambda r, t: mean_squared_error(t, torch.sigmoid(r)),
    ("brier", "softmax"): lambda r, t: (
        (torch.softmax(r, 1) - one_hot(t)).square().sum(1).mean()
    ),
    ("focal", "sigmoid"): lambda r, t: focal(torch.sigmoid(r), t, 2.0).mean(),
    ("focal", "softmax"): lambda r, t: focal(
        torch.softmax(r, 1).gather(1, t[:, None]), torch.ones(N, 1), 2.0
    ).mean(),
    ("squared_error", "real"): lambda r, t: mean_squared_error(t, r),
    ("absolute_error", "real"): lambda r, t: mean_absolute_error(t, r),
    ("huber", "real"): lambda r, t: F.huber_loss(r, t),
    ("quantile", "real"): lambda r, t: mean_pinball_loss(t, r, alpha=0.5),
    ("poisson", "real"): lambda r, t: F.poisson_nll_loss(r, t),
    ("gaussian", "real"): lambda r, t: F.gaussian_nll_loss(
        r[:, :2], t, (F.softplus(r[:, 2:]) + 1e-4) ** 2
    ),
}


@EVERY
def test_the_mean_over_rows_is_the_known_formula(name, kind):
    raw, target = data(kind, name)
    rows = make(name, kind).rows(raw, target)
    assert rows.shape == (N,)
    assert float(rows.mean()) == pytest.approx(float(EXPECTED[name, kind](raw, target)))


@EVERY
def test_leading_axes_are_kept(name, kind):
    raw, target = data(kind, name)
    loss = make(name, kind)
    if kind == "softmax" and name == "log_loss":
        target = one_hot(target)  # torch's fused cross-entropy takes one leading axis
    stacked = loss.rows(torch.stack([raw, 2 * raw]), torch.stack([target, target]))
    assert torch.allclose(stacked[0], loss.rows(raw, target))
    assert torch.allclose(stacked[1], loss.rows(2 * raw, target))


@EVERY
def test_extreme_outputs_give_finite_losses_and_gradients(name, kind):
    raw, target = data(kind, name)
    raw = (raw.sign() * 30).requires_grad_()
    make(name, kind).training_rows(raw, target).sum().backward()
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize(("name", "kind"), [k for k in LOSSES if k[1] != "real"])
def test_smoothing_is_the_loss_of_the_smoothed_target(name, kind):
    raw, target = data(kind, name)
    soft = one_hot(target) if kind == "softmax" else target
    soft = 0.8 * soft + 0.2 / (4 if kind == "softmax" else 2)
    loss = make(name, kind, smoothing=0.2)
    assert torch.allclose(loss.training_rows(raw, target), loss.rows(raw, soft))
    assert not torch.allclose(loss.training_rows(raw, target), loss.rows(raw, target))


PROPER = [k for k in LOSSES if k[0] not in ("focal", "brier")]


@pytest.mark.parametrize(("name", "kind"), PROPER, ids="-".join)
def test_the_prior_is_the_best_constant_output(name, kind):
    raw, target = data(kind, name)
    weight = torch.linspace(0.5, 1.5, N, dtype=torch.float64)
    params = {"quantile": 0.8} if name == "quantile" else {}
    loss = make(name, kind, **params)
    prior = loss.prior(target, weight, raw.shape[1])
    assert prior.shape == (raw.shape[1],)
    if name == "gaussian":
        assert torch.allclose(
            loss.row.decode(prior[None])[1], torch.ones(1, 2).double(), atol=1e-3
        )
        prior = prior[:2]

    def objective(constant):
        constant = constant.expand(N, -1)
        if name == "gaussian":
            constant = torch.cat([constant, torch.full_like(constant, 0.54)], 1)
        return float((weight * loss.rows(constant, target)).sum())

    best = objective(prior)
    # huber starts from the median, which is near its minimum, not at it
    slack = 0.05 * abs(best) if name == "huber" else 1e-9
    for shift in (0.05, -0.05):
        for i in range(len(prior)):
            moved = prior.clone()
            moved[i] += shift
            assert objective(moved) >= best - slack


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_probabilities_are_those_of_torch(kind):
    raw, _ = data(kind, "log_loss")
    raw = 50 * raw
    expected = torch.sigmoid(raw) if kind == "sigmoid" else torch.softmax(raw, 1)
    assert torch.allclose(probabilities(raw, kind), expected, rtol=1e-12, atol=1e-15)


def test_a_parameter_of_another_loss_is_refused():
    with pytest.raises(InvalidParameterError, match=r"loss_params.*keys among: none"):
        make("squared_error", "real", gamma=1.0)
    with pytest.raises(InvalidParameterError, match="quantile"):
        make("quantile", "real", quantile=np.nan)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 15, 16, 60, 1_001])
def test_probabilities_of_a_row_do_not_depend_on_where_it_stands(n, dtype):
    raw = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    p = probabilities(raw, "softmax")
    for seed in range(20):
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(probabilities(raw[order], "softmax"), p[order])
