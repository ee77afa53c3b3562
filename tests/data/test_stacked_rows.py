"""Minibatches of many jobs at once."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_deep.data._batches import Rows, batch_bounds, gather
from sklearn_deep.data._stacked_rows import StackedRows, plan_steps, shared_features


def test_arrays_of_equal_content_become_one():
    a, b = torch.randn(50, 3), torch.randn(50, 3)
    late = b.clone()
    late[-1, -1] += 1
    shared = shared_features([a, b, a.clone(), a, late, b.clone(), a.double()])
    same = [next(i for i, y in enumerate(shared) if y is x) for x in shared]
    assert same == [0, 1, 0, 0, 4, 1, 6]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
    st.integers(1, 20),
)
def test_lockstep_gives_each_network_the_batches_that_it_has_alone(sizes, batch_size):
    sizes = sorted(sizes, reverse=True)
    taken = {k: [] for k in range(len(sizes))}
    for groups in plan_steps(sizes, batch_size):
        for nets, start, stop in groups:
            for k in range(nets.start, nets.stop):
                taken[k].append((start, stop))
        # Whoever goes on comes last, and with the largest batches.
        firsts = [nets.start for nets, _, _ in groups]
        assert firsts == sorted(firsts, reverse=True)
    for k, size in enumerate(sizes):
        assert taken[k] == batch_bounds(size, batch_size)


def parts(weighted=(True, False, True)):
    g = torch.Generator().manual_seed(0)
    common = torch.randn(20, 2, generator=g)
    own = torch.randn(9, 2, generator=g)
    indices = (torch.arange(3, 15), None, torch.arange(0, 20, 2))
    result = []
    for x, index, has_weight in zip(
        (common, own, common), indices, weighted, strict=True
    ):
        n = len(x) if index is None else len(index)
        weight = torch.rand(n, generator=g) if has_weight else None
        result.append(Rows(x, torch.randn(n, 1, generator=g), weight, index))
    return result


@pytest.mark.parametrize("nets", [slice(0, 3), slice(1, 3), slice(1, 2)])
def test_a_batch_holds_each_networks_own_rows(nets):
    rows = parts()
    together = StackedRows(rows)
    orders = [
        torch.from_numpy(np.random.default_rng(0).permutation(len(r))) for r in rows
    ]
    together.put_in_order(orders)
    batch = together.batch(nets, 2, 7)
    for i, k in enumerate(range(nets.start, nets.stop)):
        own = rows[k].take(orders[k][2:7])
        assert torch.equal(batch.x[i], own.x)
        assert torch.equal(batch.y[i], own.y)
        expected = torch.ones(5) if own.weight is None else own.weight
        assert torch.equal(batch.weight[i], expected)


def test_without_weights_there_are_none():
    together = StackedRows(parts(weighted=(False,) * 3))
    assert together.batch(slice(0, 3), 0, 2).weight is None


def test_all_rows_come_in_order(monkeypatch):
    monkeypatch.setattr("sklearn_deep.data._rows.CHUNK_BYTES", 1)
    one = parts()[1]
    big = Rows(torch.randn(100, 2), torch.randn(100, 1), None)
    together = StackedRows([big, big])
    batches = list(together.in_order())
    assert len(batches) > 1
    assert torch.equal(torch.cat([batch.x for batch in batches], 1)[1], big.x)
    assert len(list(StackedRows([one]).in_order())) == 1


def as_csr(rows):
    return Rows(sp.csr_matrix(rows.x.numpy()), rows.y, rows.weight, rows.index)


@pytest.mark.parametrize("sparse", [False, True])
def test_networks_that_take_the_same_rows_share_a_batch(sparse):
    one = parts(weighted=(False,) * 3)[0]
    one = as_csr(one) if sparse else one
    other = Rows(one.x, one.y, None, one.index.flip(0))
    together = StackedRows([one, one, other, one])
    order = torch.randperm(len(one), generator=torch.Generator().manual_seed(0))
    together.put_in_order([order, order, order, order])
    batch = together.batch(slice(0, 2), 1, 5)
    assert batch.x.stride(0) == 0
    assert torch.equal(batch.x[1], one.take(order[1:5]).x)
    everyone = together.batch(slice(0, 4), 1, 5).x
    for k, rows in enumerate([one, one, other, one]):
        assert torch.equal(everyone[k], rows.take(order[1:5]).x)
    together.put_in_order([order, order.flip(0), order, order])
    batch = together.batch(slice(0, 2), 1, 5)
    assert torch.equal(batch.x[1], one.take(order.flip(0)[1:5]).x)


def test_dense_and_sparse_rows_side_by_side():
    dense = parts(weighted=(True,) * 3)
    mixed = [as_csr(dense[0]), dense[1], as_csr(dense[2])]
    batch = StackedRows(mixed).batch(slice(0, 3), 2, 8)
    expected = StackedRows(dense).batch(slice(0, 3), 2, 8)
    assert torch.equal(batch.x, expected.x)


def test_sparse_arrays_of_equal_content_are_one():
    x = sp.random(30, 5, 0.4, format="csr", random_state=0)
    near = x.copy()
    near.indices[0] = (near.indices[0] + 1) % 5
    dense = torch.from_numpy(x.toarray())
    one, same, other, last = shared_features([x, x.copy(), near, dense])
    assert same is one is x
    assert other is near
    assert last is dense


@pytest.mark.parametrize("change", ["canonical", "unsorted", "duplicates", "empty"])
def test_gathered_sparse_rows_are_those_of_scipy(change):
    x = sp.random(40, 6, 0.3, format="csr", dtype=np.float32, random_state=0)
    if change == "unsorted":
        x.indices[x.indptr[3] : x.indptr[4]] = x.indices[x.indptr[3] : x.indptr[4]][
            ::-1
        ]
        x.data[x.indptr[3] : x.indptr[4]] = x.data[x.indptr[3] : x.indptr[4]][::-1]
        x.has_sorted_indices = x.has_canonical_format = False
    if change == "duplicates":
        x = sp.csr_matrix(
            (np.ones(6, np.float32), [0, 0, 5, 2, 2, 1], [0, 3, 6]), shape=(2, 6)
        )
    if change == "empty":
        x = sp.csr_matrix((4, 6), dtype=np.float32)
    rows = torch.randint(x.shape[0], (9,), generator=torch.Generator().manual_seed(0))
    expected = np.stack([x.toarray()[row] for row in rows])
    assert torch.equal(gather(x, rows), torch.from_numpy(expected))
    assert gather(x, rows[:0]).shape == (0, 6)
