"""Planted faults are found, in frames, arrays, images, series and texts."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_deep import check_data


@pytest.fixture
def table(rng):
    """400 rows, 5 columns that matter, labels without noise."""
    X = rng.normal(size=(400, 5))
    return X, (X.sum(1) > 0).astype(int)


def checked(X, y=None, *args, checks, **kwargs):
    checks = [checks] if isinstance(checks, str) else checks
    return check_data(X, y, *args, checks=checks, random_state=0, **kwargs)


def names(report):
    return {finding.name for finding in report.findings_}


@pytest.mark.parametrize("kind", ["array", "pandas", "polars"])
def test_copies_are_found_in_every_container(table, kind):
    X, _ = table
    X[[10, 200, 300]] = X[[5, 7, 5]]
    make = {"array": np.asarray, "pandas": pd.DataFrame, "polars": pl.DataFrame}[kind]
    columns = {} if kind == "array" else {f"c{i}": X[:, i] for i in range(5)}
    X = make(columns or X)
    report = checked(X, checks="duplicates")
    assert report.duplicates_["row"].tolist() == [10, 200, 300]
    assert report.duplicates_["of"].tolist() == [5, 7, 5]
    cleaned = report.clean(X, what="duplicates")
    assert type(cleaned) is type(X)
    assert cleaned.shape == (397, 5)


def test_the_line_of_a_finding_does_what_it_says(table):
    X, y = table
    X[[10, 200]] = X[[5, 7]]
    index = [f"r{i}" for i in range(400)]
    X = pd.DataFrame(X, index=index, columns=list("abcde"))
    report = checked(X, checks="duplicates")
    (finding,) = report.findings_
    assert finding.code == "X = X.drop(index=report.duplicates_.index)"
    scope = {"X": X, "report": report}
    exec(finding.code, scope)
    pd.testing.assert_frame_equal(scope["X"], report.clean(X, what="duplicates"))
    y = pd.Series(y, index=index)
    report = checked(X, y, checks="duplicates")
    scope = {"X": X, "y": y, "report": report}
    exec(report.findings_[0].code, scope)
    assert len(scope["X"]) == len(scope["y"]) == 398
    assert "r10" not in scope["X"].index


def test_rows_of_few_categories_may_repeat():
    X = np.random.default_rng(0).integers(0, 3, (500, 4))
    report = checked(X, checks=["duplicates", "near_duplicates"])
    assert report.findings_ == []


def test_dependent_categories_may_repeat_too(rng):
    cell = rng.integers(0, 30, 600)
    X = np.column_stack([cell // 5, cell % 5, cell % 2, rng.integers(0, 4, (600, 2))])
    assert checked(X, checks=["duplicates", "near_duplicates"]).findings_ == []


@pytest.mark.parametrize("n", [400, 6000])
def test_copies_with_noise_are_near_duplicates(rng, n):
    X = rng.normal(size=(n, 6))
    X[100:120] = X[:20] + 1e-3 * rng.normal(size=(20, 6))
    report = checked(X, checks=["duplicates", "near_duplicates"])
    assert names(report) == {"near_duplicates"}
    found = report.near_duplicates_
    assert set(found["row"]) <= set(range(100, 120))
    assert len(found) >= 18
    assert (found["of"] == found["row"] - 100).all()


def test_a_category_more_or_less_is_no_near_duplicate(rng):
    X = np.column_stack([rng.normal(size=300), rng.integers(0, 9, (300, 3))])
    X[100:110] = X[:10]
    X[100:110, 1] = (X[100:110, 1] + 1) % 9
    assert checked(X, checks="near_duplicates").findings_ == []


def test_equal_rows_with_other_labels_are_conflicts(table):
    X, y = table
    X[[10, 11, 200]] = X[[5, 6, 7]]
    y[[10, 11, 200]] = [1 - y[5], y[6], 1 - y[7]]
    report = checked(X, y, checks="conflicts")
    assert sorted(report.conflicts_["row"]) == [5, 7, 10, 200]
    X, y = report.clean(X, y, what="conflicts")
    assert len(X) == len(y) == 396


def test_rows_of_both_parts_are_leaks(table, rng):
    X, y = table
    X_test = rng.normal(size=(100, 5))
    X_test[:5] = X[:5]
    X_test[5:9] = X[10:14] + 1e-4
    report = checked(X, y, X_test, checks="leaks")
    assert sorted(report.leaks_["test_row"]) == list(range(9))
    cleaned, _ = report.clean(X, y, what="leaks")
    assert len(cleaned) == 391


def test_pictures_are_compared_as_the_eye_does(rng):
    smooth = rng.random((80, 7, 7)).repeat(4, axis=1).repeat(4, axis=2)
    images = (255 * smooth).astype(np.uint8)
    images[40] = images[3]
    images[41] = np.clip(images[4] * 0.8 + 20, 0, 255)  # another exposure
    report = checked(images, checks=["duplicates", "near_duplicates"])
    assert report.duplicates_["row"].tolist() == [40]
    assert report.near_duplicates_["row"].tolist() == [41]
    assert report.clean(images, what=["duplicates", "near_duplicates"]).shape[0] == 78


def test_series_of_unequal_length_are_compared(rng):
    series = [rng.normal(size=(n, 2)).cumsum(0) for n in rng.integers(40, 80, 60)]
    series[30], series[31] = series[2].copy(), series[3] + 1e-4
    report = checked(series, checks=["duplicates", "near_duplicates"])
    assert report.duplicates_["row"].tolist() == [30]
    assert report.near_duplicates_["row"].tolist() == [31]
    assert len(report.clean(series, what="duplicates")) == 59


def test_texts_are_compared_by_their_letters(rng):
    words = ["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(200)]
    texts = [" ".join(rng.choice(words, 30)) for _ in range(80)]
    texts[40], texts[41] = texts[2].upper() + " ", texts[3] + "!"
    report = checked(texts, checks=["duplicates", "near_duplicates"])
    assert report.duplicates_["row"].tolist() == [40]
    assert report.near_duplicates_["row"].tolist() == [41]


@pytest.mark.parametrize("estimator", [None, LogisticRegression()])
def test_flipped_labels_are_found(rng, estimator):
    X = rng.normal(size=(1000, 3))
    y = np.where(X.sum(1) > 0, "yes", "no")
    flipped = rng.choice(1000, 100, replace=False)
    y[flipped] = np.where(y[flipped] == "yes", "no", "yes")
    report = checked(X, y, estimator=estimator, checks="labels")
    rows = report.labels_["row"]
    hits = np.isin(rows, flipped)
    assert hits.mean() > 0.85  # precision
    assert np.isin(flipped, rows).mean() > 0.6  # recall
    assert report.labels_["p_wrong"].mean() == pytest.approx(hits.mean(), abs=0.15)
    assert set(report.labels_["suggested"]) <= {"yes", "no"}


def test_overlap_is_no_wrong_label(rng):
    X = rng.normal(size=(800, 3))
    y = X.sum(1) + rng.logistic(size=800) > 0
    report = checked(X, y, checks="labels")
    assert report.findings_ == []
    assert len(report.labels_) == 0
    listed = report.label_candidates_  # to look through, in order of clearness
    assert len(listed) > 50
    assert report.clean(X, y, what="label_candidates")[0] is X


def test_targets_in_another_unit_are_outliers(rng):
    X = rng.normal(size=(800, 3))
    y = 10 + X.sum(1) + 0.3 * rng.normal(size=800)
    y[:8] *= 10
    report = checked(X, y, checks="target_outliers")
    assert set(report.target_outliers_["row"]) == set(range(8))
    y[:8] /= 10
    assert checked(X, y, checks="target_outliers").findings_ == []


def test_a_shifted_column_is_drift(table):
    X, y = table
    X_test = np.random.default_rng(1).normal(size=(300, 5))
    assert checked(X, y, X_test, checks="drift").findings_ == []
    X_test[:, 2] += 1
    report = checked(X, y, X_test, checks="drift")
    assert names(report) == {"two_sample", "drift"}
    assert report.drift_["column"].tolist() == [2]
    assert report.two_sample_["auc"][0] > 0.6


def test_new_categories_and_missing_values_are_drift():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.choice(["x", "y"], 300), "b": rng.normal(size=300)})
    X_test = X.copy()
    X_test.loc[:99, "a"] = "z"
    X_test.loc[100:199, "b"] = np.nan
    report = checked(X, None, X_test, checks="drift")
    assert sorted(report.drift_["label"]) == ["a", "b"]


def test_dependence_between_columns_alone_is_drift(rng):
    X, X_test = rng.normal(size=(2, 800, 2))
    X_test[:, 1] = X_test[:, 0] * 0.95 + X_test[:, 1] * 0.3
    report = checked(X, None, X_test, checks="drift")
    assert names(report) == {"two_sample"}


def test_rare_classes_and_groups_are_named(rng):
    y = np.repeat(["a", "b", "c"], [100, 97, 3])
    groups = np.repeat(np.arange(11), [20] * 9 + [18, 2])
    X = rng.normal(size=(200, 2))
    report = checked(X, y, groups=groups, checks="rare")
    assert report.rare_classes_["label"].tolist() == ["c"]
    assert report.rare_groups_["group"].tolist() == [10]
    assert len(report.clean(X, y, what="rare_classes")[1]) == 197


@pytest.mark.parametrize("kind", ["sorted", "random walk", "shuffled"])
def test_a_target_that_depends_on_the_order_is_found(rng, kind):
    noise = rng.normal(size=300)
    y = {"sorted": np.sort(noise), "random walk": noise.cumsum(), "shuffled": noise}
    report = checked(rng.normal(size=(300, 2)), y[kind], checks="time_order")
    assert names(report) == (set() if kind == "shuffled" else {"time_order"})
    classes = (y[kind] > np.median(y[kind])).astype(int)
    report = checked(rng.normal(size=(300, 2)), classes, checks="time_order")
    assert names(report) == (set() if kind == "shuffled" else {"time_order"})


def test_constant_columns_and_identifiers_are_named(rng):
    n = 200
    X = pd.DataFrame(
        {
            "id": np.arange(n)[rng.permutation(n)] + 1000,
            "name": [f"person {i}" for i in range(n)],
            "nothing": [None] * n,
            "one": 1.0,
            "city": rng.choice(["Rome", "Oslo", "Bonn"], n),
            "age": rng.integers(18, 90, n),
            "height": rng.normal(1.7, 0.1, n),
        }
    )
    report = checked(X, checks=["constant", "identifiers"])
    assert report.constant_["label"].tolist() == ["nothing", "one"]
    assert report.identifiers_["label"].tolist() == ["id", "name"]
    cleaned = report.clean(X, what=["constant", "identifiers"])
    assert list(cleaned) == ["city", "age", "height"]
    scope = {"X": X, "report": report}
    exec(next(f.code for f in report.findings_ if f.name == "constant"), scope)
    assert len(scope["X"].columns) == 5


def test_a_column_that_holds_the_answer_is_leakage(table, rng):
    X, y = table
    y = (X[:, :4].sum(1) + rng.logistic(size=400) > 0).astype(int)
    X[:, 4] = y + 0.01 * rng.normal(size=400)
    report = checked(X, y, checks="leakage")
    assert report.leakage_["column"].tolist() == [4]
    assert report.clean(X, y, what="high")[0].shape == (400, 4)
    assert checked(X[:, :4], y, checks="leakage").findings_ == []


def test_leakage_is_found_in_a_regression(rng):
    X = rng.normal(size=(500, 4))
    y = X[:, :3].sum(1) + rng.normal(size=500)
    X[:, 3] = 3 * y + 0.01 * rng.normal(size=500)
    report = checked(X, y, checks="leakage")
    assert report.leakage_["column"].tolist() == [3]


def test_columns_of_noise_are_irrelevant(rng):
    X = rng.normal(size=(1500, 8))
    y = (X[:, :4].sum(1) + 0.5 * rng.logistic(size=1500) > 0).astype(int)
    report = checked(X, y, checks="irrelevant")
    assert set(report.irrelevant_["column"]) <= {4, 5, 6, 7}
    assert len(report.irrelevant_["column"]) >= 3
    assert checked(X[:, :4], y, checks="irrelevant").findings_ == []


def test_scales_that_hurt_a_network_are_named(rng):
    X = rng.normal(size=(500, 5))
    X[:, 0] *= 1000
    X[::50, 1] = -999
    X[:, 2] = rng.pareto(1.5, 500)
    X[3, 3] = 60
    report = checked(X, checks="scales")
    assert 0 in report.unscaled_["column"]
    assert report.sentinels_["column"].tolist() == [1]
    assert report.sentinels_["value"].tolist() == [-999]
    assert report.heavy_tails_["column"].tolist() == [2]
    assert report.outliers_["row"].tolist() == [3]
    cleaned = report.clean(X, what="sentinels")
    assert np.isnan(cleaned[:, 1]).sum() == 10
    assert np.isnan(X).sum() == 0


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_sentinels_become_missing_values_in_frames(rng, make):
    columns = {name: rng.normal(size=300) for name in "ab"}
    columns["b"][:6] = 9999
    X = make(columns)
    cleaned = checked(X, checks="scales").clean(X, what="sentinels")
    assert type(cleaned) is type(X)
    assert np.isnan(cleaned["b"].to_numpy()).sum() == 6


def test_scales_do_not_matter_to_trees(rng):
    X = rng.normal(size=(300, 3)) * [1, 1000, 1e-4]
    y = X[:, 0] > 0
    report = checked(X, y, estimator=DecisionTreeClassifier(), checks="scales")
    assert report.findings_ == []
    report = checked(X, y, estimator=LogisticRegression(), checks="scales")
    assert report.unscaled_["column"].tolist() == [1, 2]
    assert report.findings_[0].severity == "high"


def test_more_rows_are_worth_it_where_the_curve_still_falls(rng):
    X = rng.normal(size=(300, 10))
    y = X @ rng.normal(size=10)
    report = checked(X, y, estimator=None, checks="enough")
    assert names(report) == {"enough"}
    assert report.enough_["n_rows"][-2:].tolist() == [300, 600]
    assert (np.diff(report.enough_["error"]) < 0).all()
    noise = rng.normal(size=300)
    assert checked(X, noise, checks="enough").findings_ == []
