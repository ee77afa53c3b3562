"""Random numbers that a module draws itself come from a generator of the fit's."""

import copy
import io
import pickle
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklearn_deep.nn._dropout import set_source
from sklearn_deep.nn._randomness import (
    RedirectRandomness,
    TorchCompatibleDropout,
    adopt_dropout,
    copy_to_train,
    install_generator,
    restore_class,
)
from sklearn_deep.training.step._random_bits import RandomBits

x = torch.ones(4, 6)

DRAWS = {
    "linear": lambda: nn.Linear(3, 4).weight.detach(),
    "lstm": lambda: nn.LSTM(3, 4).weight_ih_l0.detach(),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(3, 3)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(5)),
    "randn": lambda: torch.randn(5),
    "rand_like": lambda: torch.rand_like(x),
    "randint": lambda: torch.randint(3, 1000, (5,)),
    "randperm": lambda: torch.randperm(50),
    "normal": lambda: torch.normal(torch.zeros(3), torch.ones(3)),
    "uniform_": lambda: torch.empty(3).uniform_(),
    "dropout": lambda: F.dropout(torch.ones(50)),
    "attention": lambda: F.scaled_dot_product_attention(
        *torch.ones(3, 1, 2, 30, 4).unbind(), dropout_p=0.5
    ),
    "beta": lambda: torch.distributions.Beta(2.0, 3.0).sample((4,)),
    "multinomial": lambda: torch.multinomial(torch.ones(50), 20),
}


def drawn(draw, seed):
    with RedirectRandomness(torch.Generator().manual_seed(seed)) as own:
        value = draw()
    assert own.drew
    return value


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_depends_on_the_generator_alone_and_leaves_the_global_one(name):
    draw = DRAWS[name]
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = drawn(draw, 0)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(drawn(draw, 0), one)
    assert not torch.equal(drawn(draw, 1), one)


def test_an_operation_without_a_generator_gets_the_seed_and_gives_the_state_back():
    class Odd:
        tags = (torch.Tag.nondeterministic_seeded,)

        class _schema:
            arguments = ()

        class overloadpacket:
            overloads = staticmethod(list)

        @staticmethod
        def name():
            return "aten::odd"

        def __call__(self):
            return torch.empty(3).uniform_()

    def draw(seed):
        own = RedirectRandomness(torch.Generator().manual_seed(seed))
        return own.__torch_dispatch__(Odd(), ())

    before = torch.random.get_rng_state()
    one = draw(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(draw(0), one)
    assert not torch.equal(draw(1), one)


def test_draws_with_a_generator_of_their_own_are_left_alone():
    own = RedirectRandomness(torch.Generator())
    with own:
        value = torch.rand(3, generator=torch.Generator().manual_seed(3))
    assert not own.drew
    assert torch.equal(value, torch.rand(3, generator=torch.Generator().manual_seed(3)))


def test_threads_do_not_meet():
    found = {}

    def work(seed):
        found[seed] = drawn(
            lambda: torch.stack([torch.randn(9) for _ in range(99)]), seed
        )

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, value in found.items():
        again = drawn(lambda: torch.stack([torch.randn(9) for _ in range(99)]), seed)
        assert torch.equal(value, again)


class Noisy(nn.Linear):
    def forward(self, x):
        return super().forward(x + torch.randn_like(x) * self.training)


def test_a_module_that_draws_is_lent_the_bits_of_a_source_until_they_are_taken_back():
    module = Noisy(6, 2)
    install_generator(module)
    assert isinstance(module, Noisy)
    masks = RandomBits([0], torch.device("cpu"))
    set_source(module, masks)
    before = torch.random.get_rng_state()
    one, two = module(x), module(x)
    assert not torch.equal(one, two)
    masks.begin([0])
    assert torch.equal(module(x), one)
    assert torch.equal(torch.random.get_rng_state(), before)
    set_source(module, None)
    restore_class(module)
    assert type(module) is Noisy


def _saved(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


class Slotted(Noisy):
    """Writes its own state, and knows nothing of ours."""

    def __getstate__(self):
        return dict(vars(self))


@pytest.mark.parametrize("cls", [Noisy, Slotted])
@pytest.mark.parametrize(
    "copied",
    [
        lambda module: nn.Sequential(*map(copy.copy, module)),
        copy.deepcopy,
        lambda module: pickle.loads(pickle.dumps(module)),
        lambda module: pickle.loads(pickle.dumps(module, 2)),
        _saved,
    ],
    ids=["copy", "deepcopy", "pickle", "pickle 2", "torch.save"],
)
def test_a_copy_of_a_module_in_training_is_a_module_of_its_own_class(cls, copied):
    module = nn.Sequential(cls(6, 2), nn.Linear(2, 2))
    install_generator(module[0])
    set_source(module, RandomBits([0], torch.device("cpu")))
    twin = copied(module)
    assert type(twin[0]) is cls
    assert "source" not in vars(twin[0])
    assert torch.equal(twin.eval()(x), module.eval()(x))
    assert twin.train()(x).shape == (4, 2)
    assert isinstance(module[0], cls)
    assert "source" in vars(module[0])


def test_a_copy_to_train_draws_what_the_module_draws():
    module = Noisy(6, 2).train()
    install_generator(module)
    twin = copy_to_train(module)
    set_source(module, RandomBits([0], torch.device("cpu")))
    set_source(twin, RandomBits([0], torch.device("cpu")))
    assert torch.equal(twin(x), module(x))


def test_dropout_becomes_ours_wherever_it_stands():
    shared = nn.Dropout(0.3)
    module = nn.Sequential(
        shared, nn.Sequential(nn.Linear(2, 2), shared), nn.Dropout(1.0), nn.Dropout2d()
    )
    adopt_dropout(module)
    assert type(module[0]) is TorchCompatibleDropout
    assert module[0] is module[1][1]
    assert module[0].p == 0.3
    assert type(module[2]) is nn.Dropout  # ours cannot drop everything
    assert type(module[3]) is nn.Dropout2d
