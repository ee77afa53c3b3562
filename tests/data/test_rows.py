"""Batches, splits, equal rows, weights and targets."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils.class_weight import compute_class_weight

import sklearn_deep.data._rows as rows_module
from sklearn_deep.data._batches import Rows, as_tensor, batch_bounds
from sklearn_deep.data._ragged import Ragged
from sklearn_deep.data._rows import chunks, merge_equal_rows
from sklearn_deep.data._split import validation_split
from sklearn_deep.data._targets import ClassTargets, RealTargets
from sklearn_deep.data._weights import class_weights


@pytest.mark.parametrize("size", [1, 2, 3, 7, 32])
def test_batches_cover_every_row_once_and_leave_no_single_row(size):
    for n in range(1, 100):
        bounds = batch_bounds(n, size)
        assert [i for a, b in bounds for i in range(a, b)] == list(range(n))
        if size > 1 and n > 1:
            assert min(b - a for a, b in bounds) > 1


@given(n=st.integers(0, 10_000), width=st.integers(0, 1 << 24))
def test_chunks_cover_every_row_once(n, width):
    assert [i for part in chunks(n, width) for i in range(n)[part]] == list(range(n))


def make_rows(n=50, sparse=False, index=None):
    rng = np.random.default_rng(0)
    X = np.arange(3.0 * n).reshape(n, 3)
    take = np.arange(n) if index is None else index
    y, weight = X[take, :1] * 2, rng.random(len(take))
    x = sp.csr_array(X) if sparse else X
    return X, Rows.make(x, y, weight, index, torch.float64, torch.device("cpu"))


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("index", [None, np.array([3, 1, 40, 7, 9, 22, 23])])
def test_an_epoch_shows_each_row_with_its_target_and_weight(sparse, index):
    X, rows = make_rows(sparse=sparse, index=index)
    for size in (4, 1000):
        batches = list(rows.epoch(size, torch.Generator().manual_seed(0)))
        x, y, weight = (torch.cat(part) for part in zip(*batches, strict=True))
        order = x[:, 0].argsort()
        expected = np.sort(X[:, 0] if index is None else X[index, 0])
        assert np.array_equal(x[order, 0], expected)
        assert torch.equal(y[:, 0], 2 * x[:, 0])
        by_row = dict(
            zip((rows.y[:, 0] / 2).tolist(), rows.weight.tolist(), strict=True)
        )
        assert [by_row[v] for v in x[:, 0].tolist()] == weight.tolist()


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
def test_evaluation_goes_through_the_rows_in_order(sparse):
    _, rows = make_rows(sparse=sparse, index=np.array([9, 2, 5]))
    assert torch.cat([b.x for b in rows.in_order()])[:, 0].tolist() == [27.0, 6.0, 15.0]


def test_dense_rows_are_not_copied_and_read_only_ones_are():
    X = np.random.default_rng(0).random((4, 3))
    assert as_tensor(X).data_ptr() == X.ctypes.data
    X.flags.writeable = False
    tensor = as_tensor(X)
    tensor.fill_(0)
    assert X.all()


@given(
    n=st.integers(4, 120),
    fraction=st.floats(0.05, 0.9),
    n_classes=st.integers(1, 6),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_split_covers_the_rows_once_and_keeps_rare_classes_in_training(
    n, fraction, n_classes, seed
):
    y = np.random.default_rng(seed).integers(0, n_classes, n)
    if not 1 <= round(fraction * n) < n:
        with pytest.raises(ValueError, match="validation part is empty or everything"):
            validation_split(n, fraction, seed, y)
        return
    train, aside = validation_split(n, fraction, seed, y)
    assert sorted([*train, *aside]) == list(range(n))
    assert len(aside) == round(fraction * n)
    counts = np.bincount(y)
    alone = {i for i in range(n) if counts[y[i]] == 1}
    n_shared = (counts >= 2).sum()
    if 0 < n_shared <= len(aside) <= n - len(alone) - n_shared:
        assert not alone & set(aside.tolist())
        # Shares are kept to the row: a class too rare for one may have none.
        expected = np.where(counts >= 2, counts, 0) * len(aside) / (n - len(alone))
        got = np.bincount(y[aside], minlength=len(counts))
        assert np.abs(got - expected).max() < 1 + 1e-9


def test_a_split_keeps_the_shares_of_the_classes():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    _, aside = validation_split(1000, 0.2, 0, y)
    assert np.bincount(y[aside]).tolist() == [120, 60, 20]


@given(seed=st.integers(0, 2**31 - 1), n_groups=st.integers(2, 20))
def test_groups_stay_whole(seed, n_groups):
    groups = np.random.default_rng(seed).integers(0, n_groups, 100)
    groups[:2] = 0, 1
    train, aside = validation_split(100, 0.3, seed, groups=groups)
    assert not set(groups[train]) & set(groups[aside])
    assert len(train)
    assert len(aside)


SMALL = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.just(2)),
    elements=st.sampled_from([-1.0, -0.0, 0.0, 2.5]),
)


@given(X=SMALL, seed=st.integers(0, 1000), sparse=st.booleans())
def test_copies_and_weights_are_one_problem_in_one_order(X, seed, sparse):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, len(X))
    copies = rng.integers(1, 4, len(X))
    repeated = rng.permutation(np.repeat(np.arange(len(X)), copies))
    shuffled = rng.permutation(len(X))
    kind = sp.csr_array if sparse else np.asarray

    def merged(take, weight):
        index, mass = merge_equal_rows(kind(X[take]), y[take], weight)
        return X[take][index], y[take][index], mass

    by_copies = merged(repeated, None)
    by_weight = merged(shuffled, copies[shuffled].astype(float))
    for a, b in zip(by_copies, by_weight, strict=True):
        assert np.array_equal(a, b)
    assert by_copies[2].sum() == copies.sum()
    assert len(np.unique(np.c_[by_copies[0] + 0.0, by_copies[1]], axis=0)) == len(
        by_copies[1]
    )


def test_rows_of_one_hash_are_merged_only_if_they_are_equal(monkeypatch):
    monkeypatch.setattr(
        rows_module, "_hash", lambda block, seed: np.zeros(len(block), np.uint64)
    )
    X = np.array([[1.0, 2.0], [3.0, 4.0], [3.0, 4.0]])
    index, weight = merge_equal_rows(X, np.array([0, 1, 1]), None)
    assert X[index].tolist() == [[1, 2], [3, 4]]
    assert weight.tolist() == [1, 2]


@given(codes=hnp.arrays(np.int64, st.integers(5, 40), elements=st.integers(0, 3)))
def test_balanced_weights_are_those_of_scikit_learn(codes):
    classes = np.unique(codes)
    places = np.searchsorted(classes, codes)
    ours = class_weights("balanced", classes, places, None)
    assert ours == pytest.approx(
        compute_class_weight("balanced", classes=classes, y=codes)
    )


@given(
    classes=st.lists(st.integers(0, 5), min_size=1, unique=True).map(sorted),
    weights=st.dictionaries(st.integers(0, 5), st.floats(0.5, 9), min_size=1),
    words=st.booleans(),
)
def test_weights_by_label_are_taken_and_refused_as_by_scikit_learn(
    classes, weights, words
):
    if words:
        classes = [f"class {label}" for label in classes]
        weights = {f"class {label}": weight for label, weight in weights.items()}
    classes = np.array(classes)
    codes = np.arange(len(classes))
    try:
        wanted = compute_class_weight(weights, classes=classes, y=classes)
    except ValueError:
        with pytest.raises(ValueError, match="that are not in y, and leaves out"):
            class_weights(weights, classes, codes, None)
    else:
        assert class_weights(weights, classes, codes, None).tolist() == wanted.tolist()


@pytest.mark.parametrize(
    ("labels", "weights"),
    [
        (["a", "b"], {np.str_("a"): 2.0, "b": 3.0, "c": 4.0}),
        ([0, 1], {np.int64(0): 2.0, 1.0: 3.0, 2: 4.0}),
        ([0.0, 1.0], {0: 2.0, np.float32(1): 3.0}),
        ([False, True], {0: 2.0, True: 3.0}),
        ([0.5, 1.5], {0.5: 2.0, 1.5: 3.0, 2.5: 1.0}),
    ],
)
def test_labels_of_class_weights_are_compared_by_value(labels, weights):
    weights = class_weights(weights, np.array(labels), np.array([0, 1]), None)
    assert weights.tolist() == [2.0, 3.0]


def test_balanced_weights_count_sample_weights():
    codes = np.array([0, 0, 1])
    weighted = class_weights(
        "balanced", np.array([0, 1]), codes, np.array([1.0, 1.0, 2.0])
    )
    assert weighted.tolist() == [1.0, 1.0]


@given(
    y=hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6)),
    columns=st.booleans(),
)
@example(y=np.array([5e-324, 0.0]), columns=False)
def test_real_targets_come_back_in_their_units_and_shape(y, columns):
    y = np.c_[y, -y] if columns else y
    targets = RealTargets.learn(y, None, "standard")
    encoded = targets.encode(y, np.float64)
    assert encoded.shape == (len(y), 2 if columns else 1)
    assert np.abs(encoded.mean(0)).max() < 1e-6
    assert targets.decode(encoded) == pytest.approx(y, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "labels", [["a", "b"], [-1, 1], [1, 2, 7], [False, True], [0.5, 1.5]]
)
def test_labels_come_back_as_they_were(labels):
    y = np.array(labels * 3)
    targets = ClassTargets.learn(y)
    encoded = targets.encode(y, np.float64)
    if targets.kind == "sigmoid":
        decision = 2 * encoded - 1
    else:
        decision = np.eye(len(labels))[encoded]
    assert np.array_equal(targets.decode(decision), y)
    assert targets.decode(decision).dtype == y.dtype


# Sequences of unequal length


@pytest.fixture
def sequences():
    """Six rows of three different sequences; one is the beginning of another."""
    one, two, three = [1.0, 2.0], [1.0, 2.0, 0.0], [2.0, 1.0]
    items = [one, two, one, three, two, two]
    values = np.concatenate(items)[:, None]
    return Ragged.of_lengths(values, [len(item) for item in items])


def test_equal_sequences_are_merged(sequences):
    rows, weight = merge_equal_rows(sequences, np.zeros(6), np.arange(1.0, 7.0))
    found = {
        tuple(sequences.arrays()[r][:, 0]): w for r, w in zip(rows, weight, strict=True)
    }
    assert found == {(1.0, 2.0): 4.0, (1.0, 2.0, 0.0): 13.0, (2.0, 1.0): 4.0}


def test_sequences_with_other_targets_are_not_merged(sequences):
    rows, _ = merge_equal_rows(sequences, np.arange(6.0), None)
    assert len(rows) == 6


def test_targets_of_steps_are_compared_step_by_step(sequences):
    y = sequences.with_values(np.arange(len(sequences.values)) % 2)
    rows, weight = merge_equal_rows(sequences, y, None)
    assert len(rows) == 5  # only the first and the third row agree in all of them
    assert sorted(weight) == [1, 1, 1, 1, 2]


def test_the_order_of_merged_sequences_depends_on_their_content_only(sequences):
    def content(order):
        shuffled = sequences[order]
        rows, _ = merge_equal_rows(shuffled, np.zeros(6), None)
        return [tuple(a[:, 0]) for a in shuffled[rows].arrays()]

    assert content(np.arange(6)) == content(np.array([5, 3, 1, 0, 2, 4]))
