"""Products of one network and of a stack of networks round alike."""

import pytest
import torch

from sklearn_deep.training.step._layer_gradients import affine, scaled_product

SMALL = [
    (4, 4, 4),
    (8, 5, 1),
    (16, 1, 5),
    (32, 2, 6),
    (32, 3, 3),
    (32, 1, 1),
    (1, 7, 3),
]


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def draw(request):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, dtype=request.param, generator=generator)

    return draw


@pytest.mark.parametrize("scale", [1.0, 1.25])
@pytest.mark.parametrize(("n_rows", "n_inputs", "n_units"), SMALL)
def test_a_small_product_has_the_same_bits_alone_and_in_a_stack(
    draw, n_rows, n_inputs, n_units, scale
):
    x, weight = draw(3, n_rows, n_inputs), draw(3, n_units, n_inputs)
    bias, g = draw(3, n_units), draw(3, n_rows, n_units)
    outputs = affine(bias.unsqueeze(-2), x, weight.mT, scale)
    by_weight = scaled_product(g.mT, x, scale)
    by_input = scaled_product(g, weight, scale)
    for k in range(3):
        alone = affine(bias[k].unsqueeze(-2), x[k], weight[k].mT, scale)
        assert torch.equal(alone, outputs[k])
        assert torch.equal(scaled_product(g[k].mT, x[k], scale), by_weight[k])
        assert torch.equal(scaled_product(g[k], weight[k], scale), by_input[k])


def test_a_small_product_is_written_where_it_should_be(draw):
    left, right, out = draw(2, 3), draw(3, 4), draw(5, 4)
    result = scaled_product(left, right, 2.0, out=out[1:3])
    assert result.data_ptr() == out[1:3].data_ptr()
    assert torch.allclose(out[1:3], 2 * left @ right)
