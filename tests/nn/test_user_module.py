"""Modules of the user's: how arguments reach them, and when two are of one kind."""

import functools

import pytest
import torch
from torch import nn

from sklearn_deep import InvalidParameterError
from sklearn_deep.nn._user_module import bind_arguments, build, fingerprint

SIZES = {"n_features": 4, "n_outputs": 2, "input_shape": (4,)}


class Net(nn.Module):
    def __init__(self, n_features, n_outputs, width=8, rate=0.0, slope=0.1):
        super().__init__()
        self.inner = nn.Linear(n_features, width)
        self.drop = nn.Dropout(rate)
        self.outer = nn.Linear(width, n_outputs)
        self.settings = {"slope": slope}

    def forward(self, x):
        h = nn.functional.leaky_relu(self.inner(x), self.settings["slope"])
        return self.outer(self.drop(h))


def made(factory=Net, seed=0, **arguments):
    arguments = {"n_features": 4, "n_outputs": 2, **arguments}
    return build("Owner", factory, arguments, torch.Generator().manual_seed(seed))


def test_sizes_go_where_the_signature_names_them():
    def shaped(input_shape, n_outputs, *, depth=1): ...

    assert bind_arguments("Owner", shaped, {"depth": 2}, SIZES) == {
        "input_shape": (4,),
        "n_outputs": 2,
        "depth": 2,
    }


def test_a_factory_of_any_arguments_gets_those_given_only():
    def anything(**kwargs): ...

    assert bind_arguments("Owner", anything, {"width": 3}, SIZES) == {"width": 3}


def test_a_size_that_is_given_is_not_filled_in():
    bound = bind_arguments("Owner", Net, {"n_features": 9}, SIZES)
    assert bound == {"n_features": 9, "n_outputs": 2}


def test_a_bound_factory_needs_what_is_left():
    bound = bind_arguments("Owner", functools.partial(Net, n_features=4), {}, SIZES)
    assert bound["n_outputs"] == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"widht": 3}, r"Net of Owner takes no argument 'widht'.*module__width"),
        ({"n_features": 1, "x": 1, "a": 2}, "takes no argument 'a'"),
    ],
)
def test_an_argument_it_does_not_take_is_named(given, message):
    with pytest.raises(InvalidParameterError, match=message):
        bind_arguments("Owner", Net, given, SIZES)


def test_an_argument_it_needs_is_named():
    def deep(n_features, depth): ...

    with pytest.raises(InvalidParameterError, match=r"'depth'. Pass module__depth"):
        bind_arguments("Owner", deep, {}, SIZES)


def test_initial_values_come_from_the_generator():
    before = torch.random.get_rng_state()
    one, same, other = made(), made(), made(seed=1)
    assert torch.equal(one.inner.weight, same.inner.weight)
    assert not torch.equal(one.inner.weight, other.inner.weight)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_layer_among_the_arguments_is_not_shared():
    layer = nn.PReLU()

    def net(n_features, n_outputs, activation):
        return nn.Sequential(nn.Linear(n_features, n_outputs), activation)

    assert made(net, activation=layer)[1] is not layer


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        (lambda n_features, n_outputs: 3, TypeError, "must make a torch.nn.Module"),
        (lambda n_features, n_outputs: nn.ReLU(), ValueError, "no parameter to train"),
        (lambda n_features, n_outputs: 1 / 0, ValueError, r"n_outputs=2.*Zero"),
    ],
)
def test_what_is_no_module_to_train_is_named(factory, error, message):
    with pytest.raises(error, match=message):
        made(factory)


def test_modules_of_one_kind_may_differ_in_values_and_rates():
    assert fingerprint(made()) == fingerprint(made(seed=1, rate=0.5))
    assert hash(fingerprint(made())) is not None


@pytest.mark.parametrize("argument", [{"width": 9}, {"slope": 0.2}, {"n_outputs": 3}])
def test_modules_that_compute_something_else_are_of_another_kind(argument):
    assert fingerprint(made()) != fingerprint(made(**argument))


@pytest.mark.parametrize("value", [torch.ones(2), object(), [object()]])
def test_what_cannot_be_compared_is_of_no_kind(value):
    module = made()
    module.extra = value
    assert fingerprint(module) is None


def test_a_module_with_a_hook_is_of_no_kind():
    module = made()
    module.inner.register_forward_hook(lambda *_: None)
    assert fingerprint(module) is None
