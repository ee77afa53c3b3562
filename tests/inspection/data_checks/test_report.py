"""The report: order, tables, text, HTML, cleaning, and errors that say what is wrong."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_deep.inspection.data_checks._out_of_fold as predicting
from sklearn_deep import (
    DataReport,
    InvalidParameterError,
    MLPClassifier,
    check_data,
    stacking_report,
)
from sklearn_deep.inspection.data_checks._table import CHECKS, TABLES

CHEAP = ["duplicates", "near_duplicates", "rare", "constant", "identifiers", "scales"]


@pytest.fixture
def frame(rng):
    """200 rows with copies, a constant, an identifier and sentinels."""
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "<c>"])
    X.loc[::20, "b"] = -999.0
    X["d"] = 1
    X = pd.concat([X, X.iloc[:6]], ignore_index=True)
    X.index = [f"row {i}" for i in range(206)]
    return X


@pytest.fixture
def report(frame):
    return check_data(frame, checks=CHEAP, random_state=0)


def test_findings_stand_in_order_of_severity(report):
    severities = [finding.severity for finding in report.findings_]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)
    assert {f.name for f in report.findings_} >= {"sentinels", "duplicates", "constant"}


def test_tables_of_a_frame_have_its_labels(report, frame):
    table = report.duplicates_
    assert list(table.index) == [f"row {i}" for i in range(200, 206)]
    assert table["of"].tolist() == list(range(6))
    assert report.constant_["label"].tolist() == ["d"]
    assert report.near_duplicates_.empty
    assert frame.drop(index=table.index).equals(report.clean(frame, what="duplicates"))


def test_every_table_is_an_attribute_and_listed(report):
    documented = set(re.findall(r"(\w+)_\b(?=[ ,:])", DataReport.__doc__))
    for name in TABLES:
        assert len(getattr(report, f"{name}_")) >= 0
        assert f"{name}_" in dir(report)
        assert name in documented
    with pytest.raises(AttributeError, match="no attribute 'nothing_'"):
        _ = report.nothing_


def test_text_and_html_name_each_finding(report):
    text, html = str(report), report._repr_html_()
    assert repr(report) == text
    for finding in report.findings_:
        assert finding.code in text
        assert finding.name in html
    assert "'<c>'" not in html
    assert "report.clean(X, what=&quot;" in html
    assert list(report.to_frame()["name"]) == [f.name for f in report.findings_]


def test_checks_that_cannot_run_are_named_with_the_reason(rng):
    report = check_data(rng.normal(size=(30, 4, 4, 3)), random_state=0)
    assert report.skipped_["labels"] == "needs y of classes"
    assert report.skipped_["leaks"] == "needs X_test"
    assert report.skipped_["constant"].startswith("needs columns")
    assert "duplicates" not in report.skipped_
    Y = rng.normal(size=(30, 2))
    report = check_data(rng.normal(size=(30, 2)), Y, random_state=0)
    assert report.skipped_["time_order"] == "needs y of one column"


def test_clean_takes_names_and_severities(report, frame):
    everything = report.clean(frame, what=["high", "medium", "low"])
    assert list(everything) == ["a", "b", "<c>"]
    assert everything["b"].isna().sum() == 10
    assert len(everything) <= 200
    assert report.clean(frame, what="near_duplicates").equals(frame)
    assert (frame["b"] == -999).sum() == 11  # it is left as it was


@pytest.mark.parametrize("make", [np.asarray, list, pd.Series, pl.Series])
def test_y_is_cut_with_x(rng, make):
    X = rng.normal(size=(50, 3))
    X[7] = X[2]
    y = make(rng.normal(size=50))
    report = check_data(X, y, checks=["duplicates"], random_state=0)
    cleaned, rest = report.clean(X, y, what="duplicates")
    assert len(cleaned) == len(rest) == 49
    assert type(rest) is type(y)


def test_clean_refuses_other_rows_and_unknown_names(report, frame):
    with pytest.raises(ValueError, match="X of 100 rows, and the report is about 206"):
        report.clean(frame.iloc[:100])
    with pytest.raises(InvalidParameterError, match="'what' parameter of DataReport"):
        report.clean(frame, what="duplicate")


def test_an_int_seed_gives_the_same_report_and_global_seeds_are_left(frame):
    y = np.arange(206) % 3
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    texts = {str(check_data(frame, y, frame, random_state=3)) for _ in range(2)}
    assert len(texts) == 1
    assert (np.random.get_state()[1] == before).all()


def test_networks_of_all_folds_are_one_stack(rng):
    X = rng.normal(size=(200, 3))
    network = make_pipeline(
        StandardScaler(), MLPClassifier((8,), max_epochs=3, random_state=0)
    )
    y = np.where(X[:, 0] > 0, "a", "b")
    check_data(X, y, estimator=network, checks=["labels"], random_state=0)
    assert stacking_report().n_networks == 5


@pytest.mark.parametrize("kind", ["array", "float32", "sparse", "pandas", "polars"])
def test_containers_of_the_same_numbers_have_the_same_findings(rng, kind):
    X = rng.integers(-4, 5, (120, 3)) / 4 + rng.normal(size=(120, 3)).round(3)
    X[9] = X[4]
    make = {
        "array": np.asarray,
        "float32": lambda X: X.astype(np.float32),
        "sparse": sp.csr_array,
        "pandas": lambda X: pd.DataFrame(X, columns=list("abc")),
        "polars": lambda X: pl.DataFrame(X, schema=list("abc")),
    }[kind]
    report = check_data(make(X), checks=["duplicates"], random_state=0)
    assert report.duplicates_["row"].tolist() == [9]
    assert report.clean(make(X), what="duplicates").shape == (119, 3)


def test_missing_values_and_categories_are_values(rng):
    X = pd.DataFrame(
        {
            "number": rng.normal(size=60),
            "text": rng.choice(["x", "y", None], 60),
            "day": pd.date_range("2026-01-01", periods=60, freq="h"),
        }
    )
    X.loc[3, "number"] = np.nan
    X.loc[30] = X.loc[3]
    report = check_data(X, checks=["duplicates"], random_state=0)
    assert report.duplicates_["row"].tolist() == [30]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": [[1.0, np.inf]] * 20}, "infinity in row 0, column 1"),
        ({"X": np.ones(20)}, r"shape \(20,\): it must be a table"),
        ({"X": np.ones((5, 2)), "y": None}, "at least 10 rows, got 5"),
        ({"y": [0] * 20}, "at least 2 classes in y, got one: '0'"),
        ({"y": [0.5] * 19 + [np.nan]}, r"y\[19\] of check_data is (nan|missing)"),
        ({"y": [0, 1] * 9}, "inconsistent numbers of samples"),
        (
            {"X_test": np.ones((4, 3))},
            "X_test of check_data must have the columns of X",
        ),
        ({"checks": ["duplicate"]}, "'checks' parameter of check_data"),
        ({"checks": []}, "'checks' parameter of check_data"),
        ({"level": 0.0}, "'level' parameter of check_data"),
        ({"cv": 1}, "'cv' parameter of check_data"),
        ({"random_state": "a"}, "'random_state' parameter of check_data"),
    ],
)
def test_errors_name_what_is_wrong(rng, change, message):
    data = {"X": rng.normal(size=(20, 2)), "y": [0, 1] * 10, **change}
    with pytest.raises((ValueError, TypeError), match=message):
        check_data(**data)


def test_two_columns_of_one_name_are_refused():
    X = pd.DataFrame(np.eye(12)[:, :2], columns=["a", "a"])
    with pytest.raises(ValueError, match="more than one column named 'a'"):
        check_data(X)


def test_copies_stay_in_one_fold(rng):
    groups = rng.integers(0, 60, 300)
    strata = rng.integers(0, 3, 300)
    folds = predicting.fold_numbers(strata, groups, 5, rng)
    assert all(len(np.unique(folds[groups == g])) == 1 for g in np.unique(groups))
    assert set(folds) == set(range(5))


def test_folds_hold_every_class_in_turn(rng):
    strata = np.repeat([0, 1, 2], [50, 10, 5])
    folds = predicting.fold_numbers(strata, np.arange(65), 5, rng)
    for k in range(5):
        assert np.bincount(strata[folds == k]).tolist() == [10, 2, 1]


@settings(max_examples=8)
@given(
    n=st.integers(12, 60),
    n_columns=st.integers(1, 4),
    n_values=st.sampled_from([1, 2, 5, 10**6]),
    seed=st.integers(0, 99),
    with_missing=st.booleans(),
    n_classes=st.sampled_from([0, 2, 3]),
)
def test_any_table_is_checked_and_cleaned(
    n, n_columns, n_values, seed, with_missing, n_classes
):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, n_values, (n, n_columns)) / 1.0
    if with_missing:
        X[rng.random(X.shape) < 0.3] = np.nan
    y = rng.normal(size=n) if n_classes == 0 else np.arange(n) % n_classes
    X_test = X[rng.permutation(n)[:10]]
    report = check_data(X, y, X_test, cv=2, random_state=seed)
    assert set(report.skipped_) <= set(CHECKS)
    for finding in report.findings_:
        assert 0 <= finding.p_value <= 1
        assert set(finding.rows) <= set(range(n))
        assert set(finding.columns) <= set(range(n_columns))
    names = [finding.name for finding in report.findings_]
    cleaned, rest = report.clean(X, y, what=names or "high")
    assert len(cleaned) == len(rest) <= n
