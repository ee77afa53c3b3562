"""The buffer, the parts of the rows, and the measure of the shuffling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_deep.data._batches import Batch
from sklearn_deep.data.chunks._buffer import Block, in_file_order, mixed
from sklearn_deep.data.chunks._membership import Membership, hashes
from sklearn_deep.data.chunks._quality import ShuffleMeter


def block(start, n):
    places = torch.arange(start, start + n)
    return Block(places[:, None].double(), places * 2, places.double() * 3, places)


def cut(sizes):
    ends = np.cumsum(sizes).tolist()
    return [block(end - size, size) for size, end in zip(sizes, ends, strict=True)]


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, size=st.integers(1, 9), slots=st.integers(0, 40))
def test_each_row_leaves_the_buffer_once_and_whole(sizes, size, slots):
    n = sum(sizes)
    generator = torch.Generator().manual_seed(0)
    out = list(mixed(cut(sizes), 2 * size + slots, size, generator))
    places = torch.cat([b.place for b in out])
    assert places.sort().values.tolist() == list(range(n))
    for b in out:
        assert torch.equal(b.x[:, 0], b.place.double())
        assert torch.equal(b.y, 2 * b.place)
        assert torch.equal(b.weight, 3 * b.place.double())
    assert all(len(b) == size for b in out[:-1])
    assert len(out[-1]) <= size + 1
    assert len(out[-1]) > 1 or size == 1 or n == 1


@settings(max_examples=30, deadline=None)
@given(sizes=SIZES, other=SIZES)
def test_the_order_does_not_depend_on_how_rows_come(sizes, other):
    n = min(sum(sizes), sum(other))
    of_cuts = []
    for sizes_of_cut in (sizes, other):
        blocks = cut(sizes_of_cut)
        left = [b.part(0, max(0, n - int(b.place[0]))) for b in blocks]
        out = mixed(
            [b for b in left if len(b)], 10, 3, torch.Generator().manual_seed(1)
        )
        of_cuts.append(torch.cat([b.place for b in out]).tolist())
    assert of_cuts[0] == of_cuts[1]


@settings(max_examples=30, deadline=None)
@given(sizes=SIZES, size=st.integers(1, 9))
def test_file_order_is_kept_in_portions(sizes, size):
    out = list(in_file_order(cut(sizes), size))
    assert torch.cat([b.place for b in out]).tolist() == list(range(sum(sizes)))
    assert all(len(b) == size for b in out[:-1])
    assert len(out[-1]) <= size + 1


def test_neighbours_leave_a_full_buffer_far_apart():
    out = mixed(cut([100] * 20), 1_000, 100, torch.Generator().manual_seed(0))
    first = next(out).place
    assert len(set((first // 100).tolist())) == 10


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 3_000),
    share=st.floats(0, 1),
    size=st.integers(1, 999),
    seed=st.integers(0, 2**31),
)
def test_parts_have_their_sizes_and_do_not_depend_on_the_chunks(n, share, size, seed):
    n_validation = int(share * n)
    parts = Membership.of(n, n_validation, 100, seed)
    whole = parts.split(0, n)
    assert [len(part) for part in whole[:2]] == [n_validation, n - n_validation]
    assert len(whole[2]) == min(100, n - n_validation)
    assert set(whole[2]) <= set(whole[1])
    for k in range(3):
        pieces = [
            parts.split(start, min(size, n - start))[k] + start
            for start in range(0, n, size)
        ]
        assert np.array_equal(np.concatenate(pieces), whole[k])
    assert np.array_equal(parts.validation_places(n), whole[0])


def test_validation_rows_are_spread_over_the_source():
    where = Membership.of(100_000, 5_000, 0, 3).validation_places(100_000)
    counts = np.histogram(where, bins=10, range=(0, 100_000))[0]
    assert abs(counts - 500).max() < 100
    assert len(np.unique(hashes(np.arange(100_000), 3))) == 100_000


def quality_of(order, y, size, n_classes):
    meter = ShuffleMeter(len(order), n_classes)
    for rows in np.array_split(order, len(order) // size):
        places = torch.from_numpy(rows)
        meter.add(Batch(None, torch.from_numpy(y[rows]), None), places)
    return meter.quality(), meter.is_bad


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_quality_is_0_in_a_sorted_order_and_1_in_a_random_one(kind):
    n, rng = 20_000, np.random.default_rng(0)
    y = (
        np.sort(rng.integers(0, 4, n))
        if kind == "classes"
        else np.sort(rng.normal(size=n))
    )
    n_classes = 4 if kind == "classes" else None
    best, bad = quality_of(rng.permutation(n), y, 50, n_classes)
    assert min(best.values()) > 0.99
    assert not bad
    worst, bad = quality_of(np.arange(n), y, 50, n_classes)
    assert max(worst.values()) < 0.01
    assert bad


def test_quality_between_is_the_share_of_the_variance_within_batches():
    """Batches of 80 % of one class, where classes are equally common."""
    rng = np.random.default_rng(0)
    y = np.concatenate([(rng.random(100) < (0.8, 0.2)[k % 2]) for k in range(400)])
    meter = ShuffleMeter(len(y), 2)
    for batch in y.astype(int).reshape(400, 100):
        meter.add(Batch(None, torch.from_numpy(batch), None), torch.arange(100))
    assert meter.quality()["y"] == pytest.approx(1 - 0.3**2 / 0.25, abs=0.01)


def test_few_batches_are_not_judged():
    y = np.sort(np.arange(500) % 2)
    assert not quality_of(np.arange(500), y, 50, 2)[1]
