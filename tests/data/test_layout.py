"""How a row of X is a table row, a series or an image."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from sklearn_deep.data._layout import Layout, TabularLayout, spatial_layout


def layout(row_shape, input_shape=None, spatial_dims="auto", channels="last"):
    return spatial_layout("Net", row_shape, input_shape, spatial_dims, channels)


# (row shape, input_shape, spatial_dims, channels): channels and positions.
TAKEN = {
    ((64,), None, "auto", "last"): (1, (64,)),
    ((64,), None, 1, "first"): (1, (64,)),
    ((8, 9), None, "auto", "last"): (1, (8, 9)),
    ((8, 9), None, "auto", "first"): (1, (8, 9)),
    ((8, 9), None, 1, "last"): (9, (8,)),
    ((8, 9), None, 1, "first"): (8, (9,)),
    ((8, 9, 3), None, "auto", "last"): (3, (8, 9)),
    ((3, 8, 9), None, 2, "first"): (3, (8, 9)),
    ((216,), (8, 9, 3), "auto", "last"): (3, (8, 9)),
    ((216,), (3, 8, 9), "auto", "first"): (3, (8, 9)),
    ((72,), (8, 9), "auto", "last"): (1, (8, 9)),
    ((72,), (8, 9), 1, "last"): (9, (8,)),
    ((72,), (72,), "auto", "last"): (1, (72,)),
    ((8, 9), (8, 9), "auto", "last"): (1, (8, 9)),
}


@pytest.mark.parametrize("given", TAKEN, ids=str)
def test_rows_are_read_as_the_settings_say(given):
    found = layout(*given)
    assert (found.n_channels, found.spatial) == TAKEN[given]
    assert found.kind == {1: "series", 2: "images"}[len(found.spatial)]
    assert found.row_shape == given[0]


@pytest.mark.parametrize("given", TAKEN, ids=str)
def test_restore_undoes_canonical_for_rows_and_for_stacks_of_rows(given):
    found = layout(*given)
    for batch in [(5,), (2, 5)]:
        x = torch.randn(*batch, *given[0])
        there = found.canonical(x)
        assert there.shape == (*batch, found.n_channels, *found.spatial)
        assert torch.equal(found.restore(there), x)


def test_values_stand_where_the_layout_says():
    image = torch.arange(2 * 3 * 4).reshape(1, 2, 3, 4)
    last, first = layout((2, 3, 4)), layout((2, 3, 4), channels="first")
    for h, w, c in itertools.product(range(2), range(3), range(4)):
        assert last.canonical(image)[0, c, h, w] == image[0, h, w, c]
    assert torch.equal(first.canonical(image), image)
    flat = layout((24,), (2, 3, 4))
    assert torch.equal(flat.canonical(image.reshape(1, 24)), last.canonical(image))


def test_canonical_copies_nothing():
    x = torch.randn(5, 8, 9, 3)
    assert layout((8, 9, 3)).canonical(x).data_ptr() == x.data_ptr()


def test_the_plain_form_makes_the_layout_again():
    for given in TAKEN:
        found = layout(*given)
        assert Layout(**found.plain()) == found
    assert Layout.table(7).kind == "table"
    assert Layout.table(7).n_values == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            ((64,), None, 2),
            r"images.*\(n, h, w\).*got X of shape \(n, 64\).*input_shape",
        ),
        (((8, 9, 3), None, 1), r"series.*\(n, time\).*got X of shape \(n, 8, 9, 3\)"),
        (((8, 9, 3, 2),), r"Net takes images.*\(n, 8, 9, 3, 2\)"),
        (((64,), (8, 9)), r"\(64,\).*input_shape=\(8, 9\).*72 values"),
        (((8, 9), (9, 8)), r"\(8, 9\).*input_shape=\(9, 8\).*flat rows only"),
        (((8, 8, 8), None, 1, "first"), r"\(n, channels, time\)"),
        (((4, 4, 4, 4), None, 2, "first"), r"\(n, channels, h, w\)"),
    ],
)
def test_other_rows_are_refused_with_the_shapes_that_are_allowed(given, words):
    with pytest.raises(ValueError, match=words):
        layout(*given)


def test_the_parts_of_an_encoded_frame_follow_one_another():
    found = TabularLayout(2, 3, (17, 40))
    row = np.arange(7)
    assert row[found.numeric_part].tolist() == [0, 1]
    assert row[found.plain_part].tolist() == [2, 3, 4]
    assert row[found.codes_part].tolist() == [5, 6]
    assert (found.kind, found.row_shape, found.n_values) == ("table", (7,), 7)
    x = torch.randn(5, 7)
    assert torch.equal(found.restore(found.canonical(x)), x)


def test_a_tabular_layout_is_made_anew_from_plain_data_and_from_a_pickle():
    found = TabularLayout(2, 3, (17,))
    assert TabularLayout(**found.plain()) == found
    assert pickle.loads(pickle.dumps(found)) == found
    assert replace(found, n_plain=4).n_values == 7
