"""Every row of the table of losses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
)

from sklearn_deep.exceptions import InvalidParameterError
from sklearn_deep.nn._losses import LOSSES, Loss, probabilities
from sklearn_deep.nn._quantiles import weighted_quantile

N, WIDTH = 40, {"sigmoid": 3, "softmax": 4, "real": 2}
EVERY = pytest.mark.parametrize(("name", "kind"), LOSSES, ids="-".join)


def data(kind, name):
    g = torch.Generator().manual_seed(0)
    raw_width = WIDTH[kind] * make(name, kind).raw_per_target
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


def huber_proposal(mean, std, target):
    """Huber's location and scale, and the squared error."""
    error = target - mean
    return ((error**2 + 0.1 * (std + error**2 / std)) / 2).mean()


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
    ("gaussian", "real"): lambda r, t: huber_proposal(
        r[:, :2].numpy(), 1e-4 + 4.9999 / (1 + 4 * np.exp(-r[:, 2:].numpy())), t.numpy()
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
    stacked = loss.rows(torch.stack([raw, 2 * raw]), torch.stack([target, target]))
    assert torch.allclose(stacked[0], loss.rows(raw, target))
    assert torch.allclose(stacked[1], loss.rows(2 * raw, target))


@pytest.mark.parametrize(("name", "kind"), [k for k in LOSSES if k[1] != "real"])
def test_without_smoothing_targets_stay_what_they_are(name, kind):
    raw, target = data(kind, name)
    loss = Loss.make("Net", name, kind, None)
    assert loss.smooth(raw, target, loss.smoothing) is target


def test_smoothed_targets_keep_leading_axes():
    raw, target = data("softmax", "log_loss")
    loss = make("log_loss", "softmax", smoothing=0.2)
    stacked = loss.training_rows(torch.stack([raw, -raw]), torch.stack([target] * 2))
    assert torch.allclose(stacked[0], loss.training_rows(raw, target))
    assert torch.allclose(stacked[1], loss.training_rows(-raw, target))


@pytest.mark.parametrize("name", [name for name, kind in LOSSES if kind == "softmax"])
def test_class_codes_and_one_hot_rows_are_the_same_target(name):
    raw, target = data("softmax", name)
    loss = make(name, "softmax")
    assert torch.allclose(loss.rows(raw, one_hot(target)), loss.rows(raw, target))


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
            loss.decode(prior[None])[1], torch.ones(1, 2).double(), atol=1e-3
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


ONE_SIDED = [
    ("log_loss", "sigmoid", 0.0, 1e-6),
    ("log_loss", "sigmoid", 1.0, 1 - 1e-6),
    ("log_loss", "softmax", 0, 1e-6),
    ("poisson", "real", 0.0, 1e-6),
    ("poisson", "real", 1e-3, 1e-3),
]


@pytest.mark.parametrize(("name", "kind", "value", "expected"), ONE_SIDED)
def test_the_prior_is_finite_where_all_targets_are_equal(name, kind, value, expected):
    dtype = torch.int64 if kind == "softmax" else torch.float64
    target = torch.full((9,) if kind == "softmax" else (9, 1), value, dtype=dtype)
    weight = torch.ones(9, dtype=torch.float64)
    n_outputs = 3 if kind == "softmax" else 1
    prior = make(name, kind).prior(target, weight, n_outputs)
    if kind == "softmax":
        shares = [1.0, expected, expected]
        np.testing.assert_allclose(prior, np.log(shares), atol=1e-12)
        return
    link = (lambda p: np.log(p / (1 - p))) if kind == "sigmoid" else np.log
    np.testing.assert_allclose(prior, [link(expected)])


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_probabilities_are_those_of_torch(kind):
    raw, _ = data(kind, "log_loss")
    raw = 50 * raw
    expected = torch.sigmoid(raw) if kind == "sigmoid" else torch.softmax(raw, 1)
    assert torch.allclose(probabilities(raw, kind), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_probabilities_of_stacked_networks_are_those_of_each(kind):
    raw, _ = data(kind, "log_loss")
    stacked = probabilities(torch.stack([raw, -raw, 2 * raw]), kind)
    for own, scale in zip(stacked, (1, -1, 2), strict=True):
        assert torch.equal(own, probabilities(scale * raw, kind))


def test_a_parameter_of_another_loss_is_refused():
    with pytest.raises(InvalidParameterError, match=r"loss_params.*keys among: none"):
        make("squared_error", "real", gamma=1.0)
    with pytest.raises(InvalidParameterError, match="quantile"):
        make("quantile", "real", quantile=np.nan)


BOUNDS = [
    ("focal", "softmax", "gamma", [0, 0.5], [-0.1]),
    ("huber", "real", "delta", [1e-3, 0.5], [0, -0.1]),
    ("quantile", "real", "quantile", [1e-3, 0.999], [0, 1, -0.1]),
]


@pytest.mark.parametrize(("name", "kind", "param", "allowed", "refused"), BOUNDS)
def test_parameters_of_losses_have_the_bounds_of_their_formulas(
    name, kind, param, allowed, refused
):
    for value in allowed:
        assert make(name, kind, **{param: value}).params[param] == value
    for value in refused:
        with pytest.raises(InvalidParameterError, match=param):
            make(name, kind, **{param: value})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 15, 16, 60, 1_001])
def test_probabilities_of_a_row_do_not_depend_on_where_it_stands(n, dtype):
    raw = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    p = probabilities(raw, "softmax")
    for seed in range(20):
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(probabilities(raw[order], "softmax"), p[order])


CALIBRATED = [
    ("gaussian", "real", {}, True),
    ("gaussian", "real", {"calibrate": False}, False),
    ("quantile", "real", {"quantile": [0.1, 0.9]}, True),
    ("quantile", "real", {"quantile": 0.9}, False),
    ("squared_error", "real", {}, False),
    ("log_loss", "softmax", {}, False),
]


@pytest.mark.parametrize(("name", "kind", "params", "expected"), CALIBRATED)
def test_distributions_are_calibrated_by_default_and_nothing_else(
    name, kind, params, expected
):
    loss = make(name, kind, **params)
    assert loss.calibrate is expected
    assert loss.has_several_quantiles is (params.get("quantile") == [0.1, 0.9])


def test_a_correction_does_not_make_a_loss_another_one():
    loss = make("gaussian", "real")
    raw, target = data("real", "gaussian")
    one, other = (loss.calibrated(raw, scale * target, None) for scale in (1, 2))
    assert one == other == loss


# The gaussian loss


def test_the_location_of_the_gaussian_loss_is_the_mean():
    raw, _ = data("real", "gaussian")
    assert torch.equal(make("gaussian", "real").location(raw), raw[:, :2])


def test_the_true_mean_and_standard_deviation_minimise_the_gaussian_loss(rng):
    y = torch.tensor(rng.exponential(size=(2_000, 1)))
    y = (y - y.mean()) / y.std() * 1.5
    loss = make("gaussian", "real")

    def objective(raw):
        return float(loss.rows(torch.tensor(raw).expand(len(y), 2), y).mean())

    best = minimize(objective, [0.3, 0.3], method="Nelder-Mead", tol=1e-9).x
    mean, std = loss.decode(torch.tensor(best)[None])
    assert float(mean) == pytest.approx(float(y.mean()), abs=1e-3)
    assert float(std) == pytest.approx(float(y.std(correction=0)), rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_raw_output_is_a_standard_deviation_beyond_five(dtype):
    raw = torch.tensor([[0.0, r] for r in (-1e30, -50.0, 0.0, 3.0, 1e30)], dtype=dtype)
    loss = make("gaussian", "real")
    _, std = loss.decode(raw)
    assert (std >= 1e-4).all()
    assert (std <= 5.001).all()
    twice = loss.calibrated(torch.zeros(9, 2), torch.full((9, 1), 40.0), None)
    assert float(twice.decode(raw)[1].max()) == 5.0


def test_the_calibrated_interval_holds_nine_in_ten_of_the_rows(rng):
    raw = torch.tensor(0.3 * rng.normal(size=(500, 4)))
    y = torch.tensor(0.3 * rng.standard_t(3, size=(500, 2)))
    loss = make("gaussian", "real")
    _, plain = loss.decode(raw)
    mean, std = loss.calibrated(raw, y, None).decode(raw)
    assert (std.max(0).values < 5).all()
    assert not torch.allclose(std, plain, rtol=0.1)
    inside = ((y - mean).abs() <= norm.ppf(0.95) * std).double().mean(0)
    np.testing.assert_allclose(inside, 0.9, atol=0.004)


# Several quantiles

SEVERAL = [(0.05, 0.5, 0.95), (0.1, 0.2, 0.3), (0.8, 0.9), (0.25,), (0.01, 0.4, 0.6)]


def several(quantile):
    return make("quantile", "real", quantile=list(quantile))


@pytest.mark.parametrize("quantile", SEVERAL)
def test_raw_outputs_of_0_are_the_quantiles_of_the_normal_distribution(quantile):
    raw = torch.zeros(1, 2 * len(quantile), dtype=torch.float64)
    (values,) = several(quantile).decode(raw)
    assert values.shape == (1, 2, len(quantile))
    np.testing.assert_allclose(values[0, 0], norm.ppf(quantile), atol=1e-12)


@pytest.mark.parametrize("quantile", SEVERAL)
def test_the_loss_of_several_quantiles_is_the_mean_of_their_pinball_losses(quantile):
    g = torch.Generator().manual_seed(0)
    raw = torch.randn(N, 2 * len(quantile), dtype=torch.float64, generator=g)
    target = torch.randn(N, 2, dtype=torch.float64, generator=g)
    loss = several(quantile)
    (values,) = loss.decode(raw)
    losses = [
        mean_pinball_loss(target, values[..., i], alpha=q)
        for i, q in enumerate(quantile)
    ]
    assert float(loss.rows(raw, target).mean()) == pytest.approx(np.mean(losses))
    stacked = loss.rows(torch.stack([raw, -raw]), torch.stack([target, target]))
    assert torch.allclose(stacked[0], loss.rows(raw, target))
    assert torch.allclose(stacked[1], loss.rows(-raw, target))


@given(
    st.data(),
    st.sampled_from(SEVERAL),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_quantiles_never_cross(data, quantile, dtype, corrected):
    width = 8 * dtype().itemsize
    numbers = st.floats(-1e6, 1e6, width=width)
    raw = torch.from_numpy(
        data.draw(arrays(dtype, (3, 2 * len(quantile)), elements=numbers))
    )
    loss = several(quantile)
    if corrected:
        target = data.draw(arrays(dtype, (3, 2), elements=numbers))
        loss = loss.calibrated(raw, torch.from_numpy(target), None)
    (values,) = loss.decode(raw)
    assert values.dtype == raw.dtype
    assert torch.isfinite(values).all()
    assert (values.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("quantile", SEVERAL)
def test_the_prior_of_several_quantiles_is_each_ones_own(quantile, rng):
    target = torch.tensor(rng.exponential(size=(N, 2)))
    weight = torch.linspace(0.5, 1.5, N, dtype=torch.float64)
    prior = several(quantile).prior(target, weight, 2 * len(quantile))
    (values,) = several(quantile).decode(prior[None])
    for i, q in enumerate(quantile):
        own = make("quantile", "real", quantile=q).prior(target, weight, 2)
        np.testing.assert_allclose(values[0, :, i], own, atol=5e-3)


@pytest.mark.parametrize("quantile", SEVERAL)
def test_calibrated_quantiles_have_their_share_of_the_rows_below(quantile, rng):
    raw = torch.tensor(rng.normal(size=(999, 2 * len(quantile))))
    target = torch.tensor(rng.exponential(size=(999, 2)) * 8 - 4)
    (values,) = several(quantile).calibrated(raw, target, None).decode(raw)
    for i, q in enumerate(quantile):
        if q != 0.5:  # the median stays where it is
            below = (target <= values[..., i]).double().mean(0)
            np.testing.assert_allclose(below, q, atol=2e-3)


@pytest.mark.parametrize("share", [0.03, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_quantiles_of_rows_are_those_of_weibull(n, share, rng):
    values = rng.normal(size=(n, 3))
    expected = np.quantile(values, share, axis=0, method="weibull")
    values, ones = torch.tensor(values), torch.ones(n, dtype=torch.float64)
    np.testing.assert_allclose(weighted_quantile(values, ones, share), expected)
    np.testing.assert_allclose(weighted_quantile(values, 7 * ones, share), expected)


@pytest.mark.parametrize(
    "quantile",
    [[0.5, 0.5], [0.9, 0.1], [], [0.0, 0.5], [0.5, 1.0], ["a"], [[0.1, 0.5]]],
)
def test_quantiles_that_are_no_increasing_shares_are_refused(quantile):
    with pytest.raises(InvalidParameterError, match="increasing order"):
        make("quantile", "real", quantile=quantile)


def test_quantiles_may_be_a_list_a_tuple_or_an_array():
    for form in (list, tuple, np.array):
        loss = make("quantile", "real", quantile=form([0.1, 0.9]))
        assert loss.params == {"quantile": (0.1, 0.9)}
        hash(tuple(loss.params.items()))  # jobs are grouped by it
