"""Which columns are categories is said as to scikit-learn's gradient boosting."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from sklearn_deep.data._frame_features import FrameFeatures

FRAME = pd.DataFrame(
    {
        "age": [1.0, 2.0, 3.0],
        "zone": [4, 4, 2],
        "kind": pd.Categorical([1, 2, 1]),
    }
)
FORMS = {"frame": FRAME, "polars": pl.from_dict(FRAME.astype(float).to_dict("list"))}
FORMS["array"] = FRAME.to_numpy(dtype=float)


def peer(X, given):
    model = HistGradientBoostingRegressor(categorical_features=given, max_iter=1)
    found = model.fit(X, np.arange(len(X))).is_categorical_
    return [False] * X.shape[1] if found is None else found.tolist()


def ours(X, given):
    features = FrameFeatures("Net", given)
    features.check(X, None, np.dtype("float64"), reset=True)
    return features.is_categorical.tolist()


# The column of a categorical dtype is among them: it cannot be read as numbers else.
@pytest.mark.parametrize(
    "given",
    [
        "from_dtype",
        ["kind"],
        ["kind", "age"],
        np.array(["kind", "zone"]),
        [2],
        np.array([2, 0]),
        [False, True, True],
        np.array([False, False, True]),
        pd.Index(["kind"]),
    ],
    ids=str,
)
def test_categories_are_those_of_gradient_boosting(given):
    assert ours(FRAME, given) == peer(FRAME, given)


@pytest.mark.parametrize("form", ["polars", "array"])
@pytest.mark.parametrize("given", [None, [], [1], [True, False, False], "from_dtype"])
def test_numbers_are_categories_where_they_are_named(form, given):
    assert ours(FORMS[form], given) == peer(FORMS[form], given)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([True, False], r"boolean mask must have shape \(n_features,\)"),
        ([3], r"integer indices must be in \[0, n_features - 1\]"),
        ([-1], r"integer indices must be in \[0, n_features - 1\]"),
        ([0.5], "categorical_features must be an array-like of bool, int or str, got"),
        (
            ["age", 1.5],
            "valid feature name|array-like of bool, int or str|without feat",
        ),
        (["income"], "which is not a valid feature name|without feature names"),
    ],
    ids=str,
)
def test_what_x_does_not_have_is_refused_in_the_same_words(form, given, message):
    for categorical in (ours, peer):
        with pytest.raises(ValueError, match=message):
            categorical(FORMS[form], given)


def test_names_of_arrays_are_refused_in_the_same_words():
    for categorical in (ours, peer):
        with pytest.raises(ValueError, match="fitted on data without feature names"):
            categorical(FORMS["array"], ["age"])


def test_text_and_booleans_are_categories_by_their_dtype():
    X = pd.DataFrame({"n": [1, 2], "text": ["a", "b"], "flag": [True, False]})
    assert ours(X, "from_dtype") == [False, True, True]
    assert ours(pl.DataFrame(X.to_dict("list")), "from_dtype") == [False, True, True]
    assert ours(X.to_numpy(object), "from_dtype") == [False, True, True]


@pytest.mark.parametrize("given", [None, ["n"], [2]])
@pytest.mark.parametrize("form", [lambda X: X, lambda X: X.to_numpy(object)])
def test_text_that_is_no_category_is_an_error_that_names_the_column(form, given):
    X = form(pd.DataFrame({"n": [1, 2], "text": ["a", "b"], "flag": [True, False]}))
    if isinstance(X, np.ndarray) and given == ["n"]:
        given = [0]
    with pytest.raises(ValueError, match=r"column ('text'|1) of X of Net holds text"):
        ours(X, given)
