"""Every kind of source gives the same rows, in order and shuffled."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sklearn_deep.data.chunks._containers import n_rows_of
from sklearn_deep.data.chunks._data import ChunkedData
from sklearn_deep.data.chunks._open import KINDS, is_lazy, open_source

N = 1_003
VALUES = np.random.default_rng(0).normal(size=(N, 3))
Y = np.arange(N) % 7
NAMES = ["a", "b", "c"]


def frame():
    return pd.DataFrame({**dict(zip(NAMES, VALUES.T, strict=True)), "y": Y})


def parquet(folder):
    frame().to_parquet(folder / "rows.parquet", row_group_size=100)
    return folder / "rows.parquet"


def parquet_folder(folder):
    for k, start in enumerate(range(0, N, 250)):
        part = frame().iloc[start : start + 250]
        part.to_parquet(folder / f"part-{k}.parquet", row_group_size=90)
    return str(folder)


def dataset(folder):
    module = pytest.importorskip("pyarrow.dataset")
    frame().to_csv(folder / "rows.csv", index=False)
    return module.dataset(folder / "rows.csv", format="csv")


def table(folder):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame())


def scanned(folder):
    return pl.scan_parquet(parquet(folder))


def query(folder):
    return pl.scan_parquet(parquet(folder)).with_columns(pl.col("y") + 0)


def dask_frame(folder):
    return pytest.importorskip("dask.dataframe").from_pandas(frame(), npartitions=7)


# Sources whose y is a column, and those whose y is an array.
WITH_COLUMNS = {
    "parquet": parquet,
    "folder": parquet_folder,
    "dataset": dataset,
    "table": table,
    "scan": scanned,
    "query": query,
    "dask frame": dask_frame,
    "pandas": lambda folder: frame(),
    "polars": lambda folder: pl.DataFrame(frame()),
    "callable of frames": lambda folder: lambda: (frame()[i : i + 99] for i in steps()),
}


def steps():
    return range(0, N, 99)


def memmap(folder):
    array = np.memmap(folder / "rows.bin", VALUES.dtype, "w+", shape=VALUES.shape)
    array[:] = VALUES
    array.flush()
    return np.memmap(folder / "rows.bin", VALUES.dtype, "r", shape=VALUES.shape)


def zarr_array(folder):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        folder / "z", shape=VALUES.shape, chunks=(80, 3), dtype="f8"
    )
    array[:] = VALUES
    return array


OF_ARRAYS = {
    "array": lambda folder: VALUES,
    "memmap": memmap,
    "zarr": zarr_array,
    "dask array": lambda folder: pytest.importorskip("dask.array").from_array(
        VALUES, chunks=(120, 2)
    ),
    "callable": lambda folder: (
        lambda: ((VALUES[i : i + 99], Y[i : i + 99]) for i in steps())
    ),
}

CASES = {
    **{name: (make, "y") for name, make in WITH_COLUMNS.items()},
    **{
        name: (make, None if name == "callable" else Y)
        for name, make in OF_ARRAYS.items()
    },
}


def open_case(case, folder):
    make, y = CASES[case]
    return ChunkedData(open_source(make(folder), "Fit"), y, None, "Fit")


def rows_of(chunks):
    return (
        np.concatenate([np.asarray(chunk.X, dtype=float) for chunk in chunks]),
        np.concatenate([chunk.y for chunk in chunks]),
        np.concatenate([chunk.start + np.arange(len(chunk)) for chunk in chunks]),
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [64, 5_000])
def test_a_source_gives_all_rows_in_order_in_parts(case, size, tmp_path):
    chunks = list(open_case(case, tmp_path).in_order(size))
    X, y, places = rows_of(chunks)
    assert np.array_equal(X, VALUES)
    assert np.array_equal(y, Y)
    assert np.array_equal(places, np.arange(N))
    assert max(map(len, chunks)) <= size


@pytest.mark.parametrize("case", CASES)
def test_a_shuffled_pass_gives_each_row_once_with_its_target_and_place(case, tmp_path):
    data = open_case(case, tmp_path)
    first, other = (
        rows_of(list(data.shuffled(np.random.default_rng(seed), 32, 3)))
        for seed in (0, 1)
    )
    for X, y, places in (first, other):
        assert np.array_equal(np.sort(places), np.arange(N))
        assert np.array_equal(X, VALUES[places])
        assert np.array_equal(y, Y[places])
    random_access = data.source.sizes is not None and len(data.source.sizes) > 1
    assert np.array_equal(first[2], other[2]) is not random_access


@pytest.mark.parametrize("case", CASES)
def test_blocks_are_the_same_however_the_source_is_cut(case, tmp_path):
    sizes = [len(chunk) for chunk in open_case(case, tmp_path).blocks(300)]
    assert sizes == [300, 300, 403]


def test_every_kind_of_source_is_tested(tmp_path):
    def kind_of(X):
        return next(i for i, kind in enumerate(KINDS) if kind.is_one(X))

    class Like:
        def __array__(self, dtype=None, copy=None):
            return VALUES

    seen = {kind_of(iter([])), kind_of(Like())}
    for k, (make, _) in enumerate(CASES.values()):
        folder = tmp_path / str(k)
        folder.mkdir()
        seen.add(kind_of(make(folder)))
    assert seen == set(range(len(KINDS)))


@pytest.mark.parametrize("value", [[[1.0, 2.0]], None, 3, np.zeros(3), {"a": [1]}])
def test_what_is_no_source_is_none(value):
    assert open_source(value, "Fit") is None
    assert not is_lazy(value)


def test_a_path_without_a_file_says_so(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no file or folder .*nothing\.parquet"
    ):
        open_source(tmp_path / "nothing.parquet", "Fit")


def test_a_file_of_another_format_says_what_to_pass(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"is no Parquet file.*pyarrow\.dataset"):
        open_source(tmp_path / "rows.csv", "Fit")


def test_pages_of_a_memory_map_are_given_back(tmp_path):
    source = open_source(memmap(tmp_path), "Fit")
    (part,) = source.piece(0, 5_000)
    assert type(part) is np.ndarray
    assert part.base is None or not isinstance(part, np.memmap)


def test_a_missing_column_is_named_with_those_that_there_are(tmp_path):
    data = ChunkedData(open_source(frame(), "Fit"), "label", None, "Fit")
    with pytest.raises(ValueError, match=r"Fit got the column name 'label'.*'a', 'b'"):
        next(data.in_order(10))


def test_targets_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"1003 rows and 5 rows of y"):
        ChunkedData(open_source(VALUES, "Fit"), Y[:5], None, "Fit")


def test_a_source_whose_second_pass_is_shorter_is_refused():
    passes = iter([5, 4])

    def chunks():
        yield from ((VALUES[:10], Y[:10]) for _ in range(next(passes)))

    data = ChunkedData(open_source(chunks, "Fit"), None, None, "Fit")
    assert n_rows_of(rows_of(list(data.in_order(10)))[0]) == data.n_rows == 50
    with pytest.raises(ValueError, match="40 rows in this pass and 50 in the first"):
        list(data.in_order(10))


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        ((VALUES[:3],), "tuple of 1 items"),
        ((VALUES[:3], Y[:2]), "3 rows of X and 2 of y"),
    ],
)
def test_a_chunk_of_another_form_is_named(chunk, words):
    data = ChunkedData(open_source(lambda: [chunk], "Fit"), None, None, "Fit")
    with pytest.raises(ValueError, match=words):
        list(data.in_order(10))


def test_a_callable_that_returns_no_chunks_is_named():
    data = ChunkedData(open_source(lambda: 3, "Fit"), None, None, "Fit")
    with pytest.raises(TypeError, match=r"returned a int\. It must return an iter"):
        list(data.in_order(10))
