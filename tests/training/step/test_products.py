"""Products of one network and of a stack of networks round alike."""

import itertools

import pytest
import torch

from library_rounding import rounds_alike
from sklearn_deep.training.step._products import affine, product

needs_equal_rounding = pytest.mark.skipif(
    not rounds_alike(), reason="the library rounds one product otherwise than many"
)

# Products that libraries have code of their own for: small ones, vectors, rows that do not
# fill a register, matrices of which every second one is at an odd place in memory.
ROWS, INPUTS, UNITS = (1, 7, 16, 32, 113), (1, 3, 5, 7, 20, 64), (1, 2, 3, 17, 33)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def draw(request):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, dtype=request.param, generator=generator)

    return draw


@needs_equal_rounding
@pytest.mark.parametrize("n_rows", ROWS)
def test_a_product_has_the_same_bits_alone_and_in_a_stack(draw, n_rows):
    for n_inputs, n_units in itertools.product(INPUTS, UNITS):
        x, weight = draw(3, n_rows, n_inputs), draw(3, n_units, n_inputs)
        bias, g = draw(3, n_units), draw(3, n_rows, n_units)
        outputs = affine(bias.unsqueeze(-2), x, weight.mT)
        turned = affine(bias.unsqueeze(-1), weight, x.mT)
        by_weight, by_input = product(g.mT, x), product(g, weight)
        for k in (slice(0, 1), slice(1, 2), slice(2, 3)):
            own_x, own_g, own_weight = x[k].clone(), g[k].clone(), weight[k].clone()
            alone = affine(bias[k].unsqueeze(-2), own_x, own_weight.mT)
            assert torch.equal(alone, outputs[k])
            alone = affine(bias[k].unsqueeze(-1), own_weight, own_x.mT)
            assert torch.equal(alone, turned[k])
            assert torch.equal(product(own_g.mT, own_x), by_weight[k])
            assert torch.equal(product(own_g, own_weight), by_input[k])


@needs_equal_rounding
@pytest.mark.parametrize("function", [torch.sigmoid, torch.nn.functional.silu])
def test_functions_of_a_product_have_the_same_bits_alone_and_in_a_stack(draw, function):
    left, right = draw(3, 7, 5), draw(3, 5, 3)
    stacked = function(product(left, right))
    for k in (slice(0, 1), slice(1, 2), slice(2, 3)):
        assert torch.equal(function(product(left[k], right[k])), stacked[k])


@pytest.mark.parametrize("shape", [(2, 4), (1, 4), (2, 1)])
def test_a_product_is_written_where_it_should_be(draw, shape):
    left, right = draw(2, shape[0], 3), draw(2, 3, shape[1])
    out = draw(2, 5, shape[1])[:, 1 : 1 + shape[0]]
    result = product(left, right, out=out)
    assert result.data_ptr() == out.data_ptr()
    assert torch.allclose(out, left @ right)
