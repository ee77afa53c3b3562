"""Rows that are not in memory are refused by a plain fit, which names what reads them."""

import pathlib

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sklearn_deep import (
    ChunkedFit,
    CNNClassifier,
    MLPClassifier,
    RNNClassifier,
    TabularClassifier,
)
from sklearn_deep.data._lazy_rows import refuse_lazy

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abc"))


def dataset(folder):
    FRAME.to_parquet(folder / "x.parquet")
    return pytest.importorskip("pyarrow.dataset").dataset(folder / "x.parquet")


LAZY = {
    "path": (lambda folder: "x.parquet", r"read_parquet\(path\)"),
    "path object": (lambda folder: pathlib.Path("x"), r"read_parquet\(path\)"),
    "dataset of pyarrow": (dataset, r"X\.to_table\(\)\.to_pandas\(\)"),
    "LazyFrame of polars": (
        lambda folder: pl.DataFrame(FRAME).lazy(),
        r"X\.collect\(\)",
    ),
    "Dask array": (
        lambda folder: pytest.importorskip("dask.array").from_array(X),
        r"X\.compute\(\)",
    ),
    "Dask DataFrame": (
        lambda folder: pytest.importorskip("dask.dataframe").from_pandas(
            FRAME, npartitions=2
        ),
        r"X\.compute\(\)",
    ),
    "zarr array": (lambda folder: pytest.importorskip("zarr").array(X), r"X\[:\]"),
    "generator": (lambda folder: (row for row in X), "a list of its rows"),
    "callable": (lambda folder: lambda: iter([X]), "the rows that it gives"),
}


@pytest.mark.parametrize("case", LAZY)
@pytest.mark.parametrize(
    "network",
    [
        MLPClassifier(max_epochs=1),
        TabularClassifier(4, n_networks=2, max_epochs=1),
        CNNClassifier((2,), max_epochs=1),
        RNNClassifier(2, max_epochs=1),
    ],
    ids=lambda network: type(network).__name__,
)
def test_a_plain_fit_names_the_class_that_reads_chunks(case, network, tmp_path):
    make, read = LAZY[case]
    if case == "path" and isinstance(network, RNNClassifier):
        return  # it is a text
    owner = type(network).__name__
    words = f"X of {owner} is a .*Pass.*{read} .*ChunkedFit\\({owner}"
    with pytest.raises(TypeError, match=words):
        network.fit(make(tmp_path), Y)
    network.fit(X, Y)
    with pytest.raises(TypeError, match=words):
        network.predict(make(tmp_path))


@pytest.mark.parametrize(
    "value", [X, FRAME, pl.DataFrame(FRAME), X.tolist(), np.float32(3), [X[:2], X[:3]]]
)
def test_rows_in_memory_are_taken(value):
    refuse_lazy(value, "Fit")


@pytest.mark.parametrize(
    "network",
    [MLPClassifier(max_epochs=1), TabularClassifier(4, n_networks=2, max_epochs=1)],
    ids=lambda network: type(network).__name__,
)
def test_a_table_of_pyarrow_is_in_memory_and_is_taken_with_its_names(network):
    table = pytest.importorskip("pyarrow").Table.from_pandas(FRAME)
    network.fit(table, Y)
    assert network.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(network.predict(table), network.predict(FRAME))


def test_dates_in_a_table_of_pyarrow_are_named():
    dated = FRAME.assign(b=pd.Timestamp("2026-01-01"))
    table = pytest.importorskip("pyarrow").Table.from_pandas(dated)
    with pytest.raises(TypeError, match="dates or durations in the column 'b'"):
        MLPClassifier(max_epochs=1).fit(table, Y)


def test_a_memory_map_is_taken_by_a_plain_fit(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    MLPClassifier(max_epochs=1).fit(mapped, Y)
    assert ChunkedFit(MLPClassifier(max_epochs=1)).fit(mapped, Y).n_rows_ == 60
